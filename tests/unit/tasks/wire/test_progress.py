"""Progress of jobs: one value an envelope, counted together."""

from __future__ import annotations

import pytest

from sluice.tasks.wire.progress import EnvelopeProgress, JobProgress


def test_a_value_comes_back_as_it_was_written() -> None:
    assert EnvelopeProgress(3, 1, 1_700_000_000.25).to_wire() == "3 1 1700000000.250"
    assert EnvelopeProgress.from_wire(b"3 1 1700000000.250") == EnvelopeProgress(3, 1, 1_700_000_000.25)


def test_what_a_later_release_adds_is_overlooked() -> None:
    assert EnvelopeProgress.from_wire(b"3 1 5.5 wire=3 7") == EnvelopeProgress(3, 1, 5.5)


@pytest.mark.parametrize("value", [b"", b"1 2", b"a b c"])
def test_what_is_no_progress_is_said_to_be_none(value: bytes) -> None:
    with pytest.raises(ValueError):
        EnvelopeProgress.from_wire(value)


def test_a_job_is_the_sum_of_its_envelopes() -> None:
    found = JobProgress.from_wire({b"e1": b"3 1 7.5", b"e2": b"0 2 9"})
    assert found == JobProgress(frozenset({"e1", "e2"}), labelled=3, failed=3, last_at=9.0)
    assert JobProgress.from_wire({}) == JobProgress()
