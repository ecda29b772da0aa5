"""The section on errors: rows without a label, by the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sluice.backfill.report.findings import Findings
from sluice.backfill.report.page.view import Nothing, Section
from sluice.backfill.report.words import percent, rows


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """Rows with an error, by its code, and their share of all rows."""

    name: str
    rows: int
    share: str


@dataclass(frozen=True, slots=True)
class Errors:
    """The most frequent first."""

    template: ClassVar[str] = "errors.html"
    rows: str
    lines: Sequence[ErrorLine]


def errors(found: Findings) -> Section:
    if not found.errors:
        return Nothing("Errors", "Every row got a label.")
    lines = [ErrorLine(code, count, percent(count, found.rows)) for code, count in found.errors.most_common()]
    return Errors(rows(found.errors.total()), lines)
