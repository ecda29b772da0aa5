"""The section on drift: how labels and the model's confidence change from week to week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sluice.backfill.report import plots
from sluice.backfill.report.drift import MIN_PERIODS, Departure, Drift, Measure, departures
from sluice.backfill.report.findings import Findings
from sluice.backfill.report.page.labels import Labels, in_sentence
from sluice.backfill.report.page.overtime import from_to
from sluice.backfill.report.page.view import Name, Nothing, Picture, Prose, Section, Swatch
from sluice.backfill.report.plots import Panel
from sluice.backfill.report.timeline import PERIODS, Bars
from sluice.backfill.report.words import percent, plural, rows
from sluice.backfill.run.facts import Option
from sluice.tasks.sentence import Sentence

TITLE = "Drift"
CONFIDENCE, UNKNOWN = "confidence", "unknown pieces"
#: Periods that are told of in sentences; all are in the table.
TOLD = 8


@dataclass(frozen=True, slots=True)
class DriftLine:
    """A period: its rows, and each measure with whether it is unlike the others."""

    name: str
    rows: int
    cells: Sequence[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class DriftOverTime:
    """What changes from period to period.

    Attributes:
        unit: what a period is: ``week``.
        unlike: a sentence for each period that is unlike the others, of which there are ``told`` in words.
        measures: heads of the columns.
        looked_at: every so many-th row was looked at for unknown pieces; 0 where nobody could.
    """

    template: ClassVar[str] = "drift.html"
    unit: str
    scattered: bool
    told: str
    unlike: Sequence[Prose]
    picture: Picture
    measures: Sequence[str | Swatch]
    lines: Sequence[DriftLine]
    looked_at: int


def drift(found: Findings, labels: Labels) -> Section:
    """Shares of labels, mean confidence and unknown pieces by week, and which weeks are unlike the others."""
    if found.times is None:
        why = "Nothing can be told of it without times; {option} names their column."
        return Nothing(TITLE, Sentence(why, option=Option.TIME_COLUMN))
    bars = found.timeline.bars(len(found.labels), PERIODS)
    if bars is None:
        return Nothing(TITLE, "Nothing can be told of it: no labelled row has a time that could be read.")
    counts = bars.counts[:, labels.order]
    total = counts.sum(axis=1)
    unit = bars.unit.name
    if np.count_nonzero(total) < MIN_PERIODS:
        return Nothing(TITLE, f"The rows are of fewer than {plural(MIN_PERIODS, unit)}: too few to compare.")
    measures = _measures(found, labels, bars, counts)
    result = departures(measures)
    names = [plots.moment(start, bars) for start in bars.starts.tolist()]
    swatches: dict[str, str | Swatch] = dict(zip(labels.names, labels.swatches, strict=True))
    return DriftOverTime(
        unit,
        result.scattered,
        f"{plural(len(result.found), unit)} {'is' if len(result.found) == 1 else 'are'}",
        _sentences(result, measures, names, total, unit),
        _picture(labels, bars, measures, [one.period for one in result.found], names),
        [swatches.get(one.name, one.name) for one in measures],
        _lines(measures, names, total, result.found),
        found.pieces.every if found.pieces is not None else 0,
    )


def _measures(found: Findings, labels: Labels, bars: Bars, counts: np.ndarray) -> list[Measure]:
    """The shares of the labels, if there are several; the confidence; unknown pieces, where they are counted."""
    total = counts.sum(axis=1)
    measures = []
    if len(labels.names) > 1:
        measures = [Measure(name, total, counts[:, at].astype(float)) for at, name in enumerate(labels.names)]
    measures.append(Measure(CONFIDENCE, *found.confidence.by(bars)))
    if found.pieces is not None:
        measures.append(Measure(UNKNOWN, *found.pieces.share.by(bars)))
    return measures


def _sentences(
    result: Drift, measures: Sequence[Measure], names: Sequence[str], total: np.ndarray, unit: str
) -> list[Prose]:
    """What is unlike the others, in words."""
    told: list[Prose] = [
        _sentence(one, measures, names[one.period], int(total[one.period]), unit) for one in result.found[:TOLD]
    ]
    if len(result.found) > TOLD:
        told.append(f"{len(result.found) - TOLD} more: see the table.")
    return told


def _sentence(one: Departure, measures: Sequence[Measure], name: str, count: int, unit: str) -> Prose:
    since = f"{unit.capitalize()} from " if unit in ("week", "quarter") else ""
    parts: list[str | Name] = [f"{since}{name} ({rows(count)}): "]
    for number, others in one.measures:
        measure = measures[number]
        here = float(measure.means[one.period])
        parts += [", "] * (len(parts) > 1)
        parts += [in_sentence(measure.name), f" {_written(measure, here)} instead of {_written(measure, others)}"]
    return [*parts, "."]


def _written(measure: Measure, value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.3f}" if measure.name == CONFIDENCE else percent(round(1e6 * value), 1_000_000)


def _picture(
    labels: Labels, bars: Bars, measures: Sequence[Measure], marked: Sequence[int], names: Sequence[str]
) -> Picture:
    shares = [one.means for one in measures if one.name not in (CONFIDENCE, UNKNOWN)]
    panels = [Panel("share", np.array(shares), labels=True)] if shares else []
    panels += [
        Panel(one.name.split()[0], one.means[None], percent=one.name == UNKNOWN)
        for one in measures
        if one.name in (CONFIDENCE, UNKNOWN) and (one.rows > 0).any()
    ]
    kinds = ", ".join(["shares of labels"] * bool(shares) + [one.name for one in measures[len(shares) :]])
    shaded = f"; shaded: unlike the others ({plural(len(marked), bars.unit.name)})" if marked else ""
    caption = f"By {bars.unit.name}: {kinds}; {from_to(names)}{shaded}."
    return labels.picture(lambda look: plots.drift(look, bars, panels, marked), f"Line charts. {caption}", caption)


def _lines(
    measures: Sequence[Measure], names: Sequence[str], total: np.ndarray, found: Sequence[Departure]
) -> list[DriftLine]:
    """A line for each period that has rows."""
    unlike = {(one.period, number) for one in found for number, _ in one.measures}
    return [
        DriftLine(
            name,
            int(total[at]),
            [
                (_written(measure, float(measure.means[at])), (at, number) in unlike)
                for number, measure in enumerate(measures)
            ],
        )
        for at, name in enumerate(names)
        if total[at]
    ]
