"""The reply listener, on a real Redis."""

from __future__ import annotations

import logging

import orjson
import pytest
import redis

from sluice.config.settings import Settings
from sluice.harness.process import wait_for
from sluice.tasks import keys
from sluice.tasks.replies import ReplyListener
from sluice.tasks.wire.reply import IndexedEntries

SECRET = "the text of a message"


def test_no_reply_ends_the_listener(settings: Settings, store: redis.Redis, caplog: pytest.LogCaptureFixture) -> None:
    taken: dict[str, IndexedEntries] = {}

    def take(envelope_id: str, answers: IndexedEntries) -> None:
        if envelope_id == "bad":
            raise ValueError(SECRET)
        taken[envelope_id] = answers

    listener = ReplyListener(settings.backend, take)
    listener.start()
    try:
        with caplog.at_level(logging.DEBUG):
            odd = [b"{" + SECRET.encode(), orjson.dumps(SECRET), b"[]", b"\xff"]
            answers = [[0, {"label": "ham"}]]
            store.rpush(keys.reply(listener.address), *odd, orjson.dumps({"bad": [], "good": answers}))
            wait_for(lambda: taken, "the good reply", 10)
    finally:
        listener.stop()
    assert {name: [list(pair) for pair in pairs] for name, pairs in taken.items()} == {"good": answers}
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text
