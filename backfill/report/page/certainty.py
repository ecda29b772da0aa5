"""The section on certainty: how probable the model called the labels that it gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sluice.backfill.report import plots
from sluice.backfill.report.findings import UNSURE, Findings
from sluice.backfill.report.page.labels import Labels
from sluice.backfill.report.page.view import Nothing, Picture, Section, Swatch
from sluice.backfill.report.words import percent


@dataclass(frozen=True, slots=True)
class CertaintyLine:
    """Rows of a label, and for each limit how many are below it: a count and a share."""

    label: Swatch
    rows: int
    below: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Certainty:
    """Histograms, and a line for each label."""

    template: ClassVar[str] = "certainty.html"
    picture: Picture
    limits: Sequence[float]
    lines: Sequence[CertaintyLine]


def certainty(found: Findings, labels: Labels) -> Section:
    if not labels.order:
        return Nothing("How sure the model is", "No row got a label.")
    counts, unsure = found.counts[labels.order], found.unsure[labels.order]
    good = int(counts.sum())
    below = ", ".join(
        f"below {limit:g}: {percent(int(few), good)}" for limit, few in zip(UNSURE, unsure.sum(0), strict=True)
    )
    caption = (
        f"Rows by the probability of the label that they got, in steps of 0.05. Share of all rows {below}; "
        f"the dashed line is at {UNSURE[-1]:g}."
    )
    if len(labels.order) > 1:
        caption += " Each label has a scale of its own."
    bins = found.bins[labels.order]
    picture = labels.picture(lambda look: plots.probabilities(look, bins), f"Histograms. {caption}", caption)
    lines = [
        CertaintyLine(label, count, [(one, percent(one, count)) for one in few])
        for label, count, few in zip(labels.swatches, counts.tolist(), unsure.tolist(), strict=True)
    ]
    return Certainty(picture, UNSURE, lines)
