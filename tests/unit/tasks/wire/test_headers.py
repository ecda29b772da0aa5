"""Our own headers of an envelope: what says nothing is not written, what makes no sense is not said."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.tasks.wire.headers import EnvelopeHeaders, is_counted
from sluice.tasks.wire.release import FIRST, WIRE


def test_headers_come_back_as_they_were_written() -> None:
    said = EnvelopeHeaders("address", 7, verdict=True, counted=True)
    assert EnvelopeHeaders.from_wire(said.to_wire()) == said


def test_what_says_nothing_is_not_written() -> None:
    assert EnvelopeHeaders().to_wire() == {"sluice_wire": WIRE}


def test_an_earlier_release_and_a_strange_client_have_no_number() -> None:
    assert EnvelopeHeaders.from_wire({"id": "1"}) == EnvelopeHeaders(wire=FIRST)


@pytest.mark.parametrize(
    "headers",
    [
        {"sluice_reply": 3},
        {"sluice_reply": ""},
        {"sluice_reply": "\ud800"},
        {"sluice_more": True},
        {"sluice_more": -1},
        {"sluice_more": 2**31},
        {"sluice_more": "7"},
        {"sluice_verdict": 1},
        {"sluice_counted": "yes"},
        {"sluice_wire": "2"},
        {"sluice_wire": True},
        {"sluice_wire": 0},
        {b"sluice_reply": "address"},
    ],
)
def test_what_makes_no_sense_counts_as_not_said(headers: dict[Any, Any]) -> None:
    assert EnvelopeHeaders.from_wire(headers) == EnvelopeHeaders(wire=FIRST)


def test_a_later_number_is_kept() -> None:
    assert EnvelopeHeaders.from_wire({"sluice_wire": WIRE + 5, "sluice_later": 1}).wire == WIRE + 5


def test_the_mark_of_the_ledger() -> None:
    assert is_counted(EnvelopeHeaders(counted=True).to_wire())
    assert not is_counted({})
    assert not is_counted({"sluice_counted": 1})
