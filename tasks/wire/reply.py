"""A reply: all answers of a batch that one waiting process wants, as an element of its Redis list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import orjson

from sluice.tasks.wire.entry import Entry

IndexedEntries = list[tuple[int, Entry]]
"""Entries, each with the index of its message in the envelope."""
Reply = Mapping[str, IndexedEntries]
"""By envelope id."""


def pack_reply(reply: Reply) -> bytes:
    """The reply as it goes into the list."""
    return orjson.dumps(reply)


def unpack_reply(packed: bytes | str) -> Reply:
    """A reply out of the list; its pairs are lists.

    Raises:
        ValueError: it is none.
    """
    reply = orjson.loads(packed)
    if not isinstance(reply, dict):
        raise ValueError("a reply is an object")
    return cast(Reply, reply)
