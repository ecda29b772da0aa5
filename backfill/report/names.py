"""Where in an output the report finds what it tells of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ReportNames:
    """Names of columns of the output; None where the archive has no such column.

    Attributes:
        elsewhere: by ``text``, ``sender``, ``time``: the columns in which other inputs of the archive have them.
        people: senders are names of people, at least in one of the inputs.
    """

    text: str | None
    sender: str | None
    time: str | None
    label: str
    probability: str
    error: str
    elsewhere: Mapping[str, Sequence[str]] = field(default_factory=dict)
    people: bool = False

    def columns(self, role: str) -> list[str]:
        """Where ``role`` (``text``, ``sender`` or ``time``) may be; the first one that has a value counts."""
        first: str | None = getattr(self, role)
        return [] if first is None else [first, *self.elsewhere.get(role, ())]

    def wanted(self) -> list[str]:
        """All columns, in the order of the fields, each once."""
        found = [name for role in ("text", "sender", "time") for name in self.columns(role)]
        return list(dict.fromkeys([*found, self.label, self.probability, self.error]))
