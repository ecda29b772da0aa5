"""How far a job is: a Redis hash with one field an envelope, written together with its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class EnvelopeProgress:
    """A finished envelope: its messages with a label, those without, and the Unix time."""

    labelled: int
    failed: int
    finished_at: float

    def to_wire(self) -> str:
        """The value of the envelope's field."""
        return f"{self.labelled} {self.failed} {self.finished_at:.3f}"

    @classmethod
    def from_wire(cls, value: bytes) -> Self:
        """Read it; what a later release may write behind the three numbers is overlooked.

        Raises:
            ValueError: it is no such value.
        """
        labelled, failed, finished_at, *_ = value.split()
        return cls(int(labelled), int(failed), float(finished_at))


@dataclass(frozen=True, slots=True)
class JobProgress:
    """The finished envelopes of a job, their messages counted together, and the latest Unix time."""

    envelopes: frozenset[str] = frozenset()
    labelled: int = 0
    failed: int = 0
    last_at: float = 0.0

    @classmethod
    def from_wire(cls, fields: Mapping[bytes, bytes]) -> Self:
        """The job's whole hash: envelope id → ``EnvelopeProgress``."""
        parts = [EnvelopeProgress.from_wire(value) for value in fields.values()]
        return cls(
            frozenset(name.decode() for name in fields),
            sum(part.labelled for part in parts),
            sum(part.failed for part in parts),
            max((part.finished_at for part in parts), default=0.0),
        )
