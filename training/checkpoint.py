"""The state of a run, in a file beside the model's folder: what was stopped goes on to the same weights."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

SUFFIX = ".state"
EVERY_S = 240.0
"""Between two saves within an epoch."""
SHOWN = 4
"""Differences that are named before "and more"."""
ABSENT = "absent"


class StateError(Exception):
    """A state that cannot be gone on with; the message says why and what to do."""


class Checkpoint:
    """Writes and reads the state of one run.

    Args:
        folder: of the model to be; the state stands beside it.
        facts: what the weights depend on, plain values by name, perhaps nested.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any], every_s: float = EVERY_S) -> None:
        self.path = state_path(folder)
        self._facts = flat(facts)
        self._every_s = every_s
        self._saved = time.monotonic()

    def read(self) -> dict[str, Any] | None:
        """The state that was saved last; None where there is none.

        Raises StateError for a file that is none, and one of a run that other options or files decided.
        """
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            former = state["facts"]
        except Exception as error:
            raise StateError(
                f"{self.path} holds no state of a run ({type(error).__name__}): delete it to begin anew."
            ) from error
        changed = differences(former, self._facts)
        if changed:
            more = f", and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
            raise StateError(
                f"{self.path} is of a run that something else decided: {', '.join(changed[:SHOWN])}{more}. "
                "Give what that run was given, or --restart to begin anew."
            )
        return dict(state)

    def due(self) -> bool:
        """Whether the last save is long ago."""
        return time.monotonic() - self._saved >= self._every_s

    def save(self, state: Mapping[str, Any]) -> None:
        """Replaces the state as a whole: whenever the process ends, the file holds this one or the one before."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f"{self.path.name}.part")
        with beside.open("wb") as file:
            torch.save({**state, "facts": self._facts}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
        self._saved = time.monotonic()

    def remove(self) -> None:
        """The run is over."""
        self.path.unlink(missing_ok=True)


def state_path(folder: Path) -> Path:
    """Where the state of a run stands that writes `folder`."""
    return folder.resolve().with_name(f"{folder.resolve().name}{SUFFIX}")


def flat(facts: Mapping[str, Any], under: str = "") -> dict[str, str]:
    """Nested values by dotted names, as text."""
    found: dict[str, str] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{under}{name}.")
        else:
            found[f"{under}{name}"] = str(value)
    return found


def differences(former: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs, one phrase each: options with both values, files by their names."""
    return [
        _phrase(name, former.get(name, ABSENT), now.get(name, ABSENT))
        for name in [*now, *(name for name in former if name not in now)]
        if former.get(name, ABSENT) != now.get(name, ABSENT)
    ]


def _phrase(name: str, former: str, now: str) -> str:
    section, _, rest = name.partition(".")
    if section != "files":
        return f"{name.rpartition('.')[2].replace('_', '-')} was {former}, is {now}"
    if ABSENT in (former, now):
        return f"{rest} was {'not ' if former == ABSENT else ''}there"
    return f"{rest} has changed"
