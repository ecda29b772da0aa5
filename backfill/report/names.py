"""Where in an output the report finds what it tells of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReportNames:
    """Names of columns of the output; None where the archive has no such column."""

    text: str | None
    sender: str | None
    time: str | None
    label: str
    probability: str
    error: str

    def wanted(self) -> list[str]:
        """The columns that there are, in the order of the fields, each once."""
        names = (self.text, self.sender, self.time, self.label, self.probability, self.error)
        return list(dict.fromkeys(name for name in names if name is not None))
