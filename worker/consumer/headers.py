"""Headers of a task message, as a client of any language may have written them, made what the worker counts on.

What decides about the call (its times, its group) is refused when it makes no sense; what only describes it is
left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeGuard

from celery.exceptions import InvalidTaskError

from sluice.tasks.errors import InvalidInput
from sluice.worker.consumer.transport.kombu_types import Headers, Table

#: Those that the worker, Celery's request or a follow-up looks at. Others could shadow what Celery's context offers.
TEXTS = ("root_id", "parent_id", "shadow", "origin", "lang", "argsrepr", "kwargsrepr")
NUMBERS = ("retries", "group_index", "replaced_task_nesting")
TIMES = ("eta", "expires")
#: Longest name for which events and ``inspect`` have room.
MOST_NAME_CHARS = 255
MOST_NUMBER = 2**31


def readable(headers: Headers) -> tuple[Table, InvalidInput | None]:
    """Headers of the types that Celery writes, and why the call must not run, if one of them cannot be ignored.

    Raises:
        InvalidTaskError: no result could have this id.
    """
    get = headers.get
    clean: Table = {
        "id": _task_id(get("id")),
        "task": get("task"),
        "ignore_result": get("ignore_result") is True,
    }
    # Every message passes here, and most have few of these.
    for name in TEXTS:
        if (value := get(name)) is not None and _is_text(value):
            clean[name] = value
    for name in NUMBERS:
        if (value := get(name)) is not None and _is_number(value):
            clean[name] = value
    clean["shadow"] = (clean.get("shadow") or "")[:MOST_NAME_CHARS] or None
    if get("stamped_headers"):
        clean.update(_stamps(headers))
    refused = None
    for name in TIMES:
        value = get(name)
        if value and not isinstance(value, (str, datetime)):
            refused = InvalidInput(f"header {name} must be a time, not {type(value).__name__}", {"field": name})
        elif value:
            clean[name] = value
    group = get("group")
    if group is None:
        return clean, refused
    if _is_text(group):
        clean["group"] = group
    elif group:
        refused = InvalidInput(f"header group must be a text, not {type(group).__name__}", {"field": "group"})
    return clean, refused


def _task_id(given: object) -> str:
    if isinstance(given, str) and given and _is_text(given):
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        return str(given)
    raise InvalidTaskError("it has no id that a result could have")


def without_times(headers: Table) -> Table:
    """For a call that does not run: nothing to wait for, nothing to expire."""
    return {name: value for name, value in headers.items() if name not in TIMES}


def _is_text(value: object) -> TypeGuard[str]:
    """Whether it is a text that UTF-8 can carry: it becomes part of keys and results."""
    if not isinstance(value, str):
        return False
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_NUMBER


def _stamps(headers: Headers) -> Table:
    """Stamps that ``revoke_by_stamped_headers`` can look at; none if any of them is nonsense."""
    names, stamps = headers.get("stamped_headers"), headers.get("stamps")
    if not isinstance(names, (list, tuple)) or not isinstance(stamps, Mapping) or not all(map(_is_text, names)):
        return {}
    values = [one for name in names for one in _several(stamps.get(name))]
    if not all(isinstance(one, (str, int, float)) for one in values):
        return {}
    return {"stamped_headers": list(names), "stamps": {name: stamps.get(name) for name in names}}


def _several(value: object) -> list[object]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
