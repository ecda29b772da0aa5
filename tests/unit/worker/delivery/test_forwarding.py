"""Where a follow-up goes: by what its signature says, and never to nowhere."""

from __future__ import annotations

import pytest

from sluice.tasks.envelope import QUEUES, TASK_NAME
from sluice.tasks.lanequeue import EXCHANGE_NAME
from sluice.worker.delivery.forwarding import NotSent, Router

BULK = QUEUES["bulk"]


@pytest.mark.parametrize(
    ("options", "exchange", "key"),
    [
        ({"queue": "callers"}, "", "callers"),
        ({"queue": BULK}, EXCHANGE_NAME, BULK),
        ({"exchange": "callers"}, "callers", "callers"),
        ({"exchange": "callers", "routing_key": "theirs"}, "callers", "theirs"),
        ({"routing_key": "callers"}, "", "callers"),
        ({"routing_key": BULK}, EXCHANGE_NAME, BULK),
    ],
)
def test_it_goes_where_its_own_options_say(options: dict[str, str], exchange: str, key: str) -> None:
    found = Router().route({**options, "declare": ["something"], "priority": 3}, "callers.task")
    assert found == {"priority": 3, "exchange": exchange, "routing_key": key, "exchange_type": "topic"}


def test_only_classify_is_at_home_in_our_queues() -> None:
    assert Router().route({}, TASK_NAME)["routing_key"] == QUEUES["interactive"]
    with pytest.raises(NotSent, match="names no queue"):
        Router().route({}, "callers.task")


@pytest.mark.parametrize("options", [{"queue": 3}, {"exchange": ["x"]}, {"routing_key": {}}])
def test_a_destination_is_a_text(options: dict[str, object]) -> None:
    with pytest.raises(NotSent, match="not a text"):
        Router().route(options, "callers.task")


def test_a_destination_has_at_most_255_bytes() -> None:
    assert Router().route({"queue": "q" * 255}, "callers.task")["routing_key"] == "q" * 255
    with pytest.raises(NotSent, match="255"):
        Router().route({"queue": "ü" * 128}, "callers.task")
