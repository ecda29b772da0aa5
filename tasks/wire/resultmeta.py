"""A stored result: the JSON under Celery's own key, so that ``AsyncResult`` of any Celery client reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NotRequired, Self, TypedDict

import orjson

from sluice.tasks.wire.entry import Entry
from sluice.tasks.wire.release import FIRST, WIRE, wire_of

#: Celery's states that are final, and its word for what it knows nothing of.
FINAL = ("SUCCESS", "FAILURE", "REVOKED")
PENDING = "PENDING"


class StoredError(TypedDict, total=False):
    """An exception as Celery stores it."""

    exc_type: str
    exc_message: list[object] | str
    exc_module: str


class ResultMeta(TypedDict):
    """Celery's fields and, in ``wire``, our number. ``result`` is one entry for a call with one text."""

    status: str
    result: list[Entry] | Entry | StoredError | None
    traceback: None
    children: list[object]
    date_done: str | None
    task_id: str
    group_id: NotRequired[str]
    parent_id: NotRequired[str]
    wire: int


def pack_meta(
    task_id: str,
    state: str,
    result: list[Entry] | Entry | StoredError | None,
    finished_at: str | None,
    *,
    group_id: str | None = None,
    parent_id: str | None = None,
) -> bytes:
    """The value under the key of an envelope's result.

    Args:
        state: Celery's.
        finished_at: ISO 8601; None as long as it runs.
    """
    meta: ResultMeta = {
        "status": state,
        "result": result,
        "traceback": None,
        "children": [],
        "date_done": finished_at,
        "task_id": task_id,
        "wire": WIRE,
    }
    if group_id:
        meta["group_id"] = group_id
    if parent_id:
        meta["parent_id"] = parent_id
    return orjson.dumps(meta)


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What the backend holds of one envelope.

    Attributes:
        state: Celery's; PENDING when nothing is stored.
        result: entries, one entry, or an exception as Celery stores it: whatever a client has put there, too.
        finished_at: ISO 8601.
        wire: number of the forms in ``result``.
    """

    state: str
    result: Any = None
    finished_at: str | None = None
    wire: int = FIRST

    @classmethod
    def from_wire(cls, packed: bytes | None) -> Self:
        """Read the value of a result's key; None: there is none.

        Raises:
            ValueError, LookupError, TypeError: something else is there.
        """
        if packed is None:
            return cls(PENDING)
        meta = orjson.loads(packed)
        return cls(meta["status"], meta.get("result"), meta.get("date_done"), wire_of(meta.get("wire")))

    @property
    def ready(self) -> bool:
        return self.state in FINAL

    @property
    def begun(self) -> bool:
        """Whether a worker has begun with it, or is through."""
        return self.state != PENDING
