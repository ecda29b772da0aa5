"""The section on labels: how many rows got each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sluice.backfill.report import plots
from sluice.backfill.report.findings import Findings
from sluice.backfill.report.page.labels import Labels
from sluice.backfill.report.page.view import Name, Nothing, Picture, Section, plain
from sluice.backfill.report.words import percent, rows


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts and shares."""

    template: ClassVar[str] = "counts.html"
    picture: Picture


def counts(found: Findings, labels: Labels) -> Section:
    if not labels.order:
        return Nothing("Labels", "No row got a label.")
    by_label = found.counts[labels.order]
    good = int(by_label.sum())
    shares: list[str | Name] = []
    for name, count in zip(labels.shown, by_label.tolist(), strict=True):
        shares += [", "] * bool(shares) + [name, f" {percent(count, good)} ({count:,})"]
    return Counts(
        labels.picture(
            lambda look: plots.shares(look, by_label),
            f"Bar chart of rows by label: {plain(shares)}.",
            [f"Rows by label, of {rows(good)} with one: ", *shares, "."],
        )
    )
