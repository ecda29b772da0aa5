"""Replies: what one end packs the other unpacks, and what is no reply is said to be none."""

from __future__ import annotations

import pytest

from sluice.tasks.wire.entry import failure, prediction
from sluice.tasks.wire.reply import pack_reply, unpack_reply


def test_a_reply_comes_back_as_it_was_packed() -> None:
    good, bad = prediction("a", "ham", 0.5, "m", "1"), failure("b", "model_failed", "no")
    found = unpack_reply(pack_reply({"e1": [(0, good), (3, bad)], "e2": [(1, good)]}))
    assert {one: [tuple(pair) for pair in pairs] for one, pairs in found.items()} == {
        "e1": [(0, good), (3, bad)],
        "e2": [(1, good)],
    }


@pytest.mark.parametrize("packed", [b"", b"[]", b"3", b"\xff"])
def test_what_is_no_reply_is_said_to_be_none(packed: bytes) -> None:
    with pytest.raises(ValueError):
        unpack_reply(packed)
