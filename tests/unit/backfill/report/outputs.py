"""Small outputs to report on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from sluice.backfill.outputs.registry import open_writer
from sluice.backfill.report.names import ReportNames
from sluice.backfill.report.page.writer import write_report
from sluice.backfill.run.stats import RunStats
from sluice.backfill.table.columns import Column

NAMES = ReportNames("text", "sender", "received_at", "label", "probability", "error")
COLUMNS = [
    *map(Column, ("received_at", "sender", "text", "label")),
    Column("probability", pa.float64()),
    Column("error"),
]

Line = tuple[str | None, str | None, str | None, str | None, float | None, str | None]


def row(number: int, label: str = "ham", **changes: Any) -> Line:
    """A good row; numbers give times an hour apart, senders and texts of their own."""
    values = {
        "received_at": f"2026-11-{1 + number // 24 % 28:02}T{number % 24:02}:00:00Z",
        "sender": f"+4477009{number:05}",
        "text": f"message number {number}",
        "label": label,
        "probability": 0.5 + number % 50 / 100,
        "error": None,
    }
    return tuple((values | changes).values())  # type: ignore[return-value]


def failure(code: str = "invalid_input") -> Line:
    return (None, None, None, None, None, f"{code}: the text is empty or blank")


def stats_of(rows: list[Line], **changes: Any) -> RunStats:
    stats = RunStats(sent=len(rows))
    stats.labels = Counter(one[3] for one in rows if one[3] is not None)
    stats.errors = Counter(one[5].split(":")[0] for one in rows if one[5] is not None)
    stats.versions = Counter({"sms-mini 3": stats.labels.total()})
    for name, value in changes.items():
        setattr(stats, name, value)
    return stats


def report_on(folder: Path, rows: list[Line], names: ReportNames = NAMES, **options: Any) -> str:
    """The page on ``rows``; options: ``stats``, ``title``, ``include_text``, ``output_format``, ``words``."""
    target, report = folder / "out", folder / "report.html"
    output_format = options.get("output_format", "csv")
    writer = open_writer(output_format, target, COLUMNS, None)
    writer.write(rows)
    writer.finish()
    writer.close()
    write_report(
        report,
        target,
        output_format,
        names,
        options.get("stats") or stats_of(rows),
        title=options.get("title", "Backfill of archive.csv"),
        include_text=options.get("include_text", False),
        words=options.get("words", str),
    )
    return report.read_text(encoding="utf-8")
