"""The section on drift: how labels and the model's confidence change from week to week."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sluice.backfill.report import plots
from sluice.backfill.report.drift import MIN_PERIODS, Departure, Drift, Measure, departures
from sluice.backfill.report.findings import Findings
from sluice.backfill.report.markup import MAX_NAME_CHARS, Cell, Markup, join, paragraph, section, table, tag, text
from sluice.backfill.report.masking import visible
from sluice.backfill.report.plots import Panel
from sluice.backfill.report.sections import Labels, from_to
from sluice.backfill.report.timeline import PERIODS, Bars
from sluice.backfill.report.words import percent, plural, rows

TITLE = "Drift"
CONFIDENCE, UNKNOWN = "confidence", "unknown pieces"
#: Periods that are told of in sentences; all are in the table.
TOLD = 8


def drift(found: Findings, labels: Labels) -> Markup:
    """Shares of labels, mean confidence and unknown pieces by week, and which weeks are unlike the others."""
    if found.times is None:
        return section(TITLE, paragraph("Nothing can be told of it without times; --time-column names their column."))
    bars = found.timeline.bars(len(found.labels), PERIODS)
    if bars is None:
        return section(TITLE, paragraph("Nothing can be told of it: no labelled row has a time that could be read."))
    counts = bars.counts[:, labels.order]
    total = counts.sum(axis=1)
    unit = bars.unit.name
    if np.count_nonzero(total) < MIN_PERIODS:
        few = f"The rows are of fewer than {plural(MIN_PERIODS, unit)}: too few to compare."
        return section(TITLE, paragraph(few))
    measures = _measures(found, labels, bars, counts)
    result = departures(measures)
    names = [plots.moment(start, bars) for start in bars.starts.tolist()]
    return section(
        TITLE,
        *_told(result, measures, names, total, unit),
        _picture(labels, bars, measures, [one.period for one in result.found], names),
        _figures(measures, labels, bars, names, result.found),
        paragraph(_remark(found, unit), class_="muted"),
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


def _told(
    result: Drift, measures: Sequence[Measure], names: Sequence[str], total: np.ndarray, unit: str
) -> list[Markup]:
    """What is unlike the others, in words."""
    if result.scattered:
        return [paragraph(f"The {unit}s differ so much from each other that none of them can be told from the others.")]
    if not result.found:
        return [paragraph(f"No {unit} is unlike the others.")]
    count = len(result.found)
    intro = f"{plural(count, unit)} {'is' if count == 1 else 'are'} unlike the others:"
    items = [_sentence(one, measures, names[one.period], int(total[one.period]), unit) for one in result.found[:TOLD]]
    if count > TOLD:
        items.append(f"{count - TOLD} more: see the table.")
    return [paragraph(intro), tag("ul", join(tag("li", text(item)) for item in items), class_="told")]


def _sentence(one: Departure, measures: Sequence[Measure], name: str, count: int, unit: str) -> str:
    parts = []
    for number, others in one.measures:
        measure = measures[number]
        here = float(measure.means[one.period])
        shown = visible(measure.name, MAX_NAME_CHARS)
        parts.append(f"{shown} {_written(measure, here)} instead of {_written(measure, others)}")
    since = f"{unit.capitalize()} from " if unit in ("week", "quarter") else ""
    return f"{since}{name} ({rows(count)}): {', '.join(parts)}."


def _written(measure: Measure, value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.3f}" if measure.name == CONFIDENCE else percent(round(1e6 * value), 1_000_000)


def _picture(
    labels: Labels, bars: Bars, measures: Sequence[Measure], marked: Sequence[int], names: Sequence[str]
) -> Markup:
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


def _figures(
    measures: Sequence[Measure], labels: Labels, bars: Bars, names: Sequence[str], found: Sequence[Departure]
) -> Markup:
    swatches: dict[str, Cell] = dict(zip(labels.names, labels.swatches, strict=True))
    heads: list[Cell] = [f"From ({bars.unit.name})", "Rows", *(swatches.get(one.name, one.name) for one in measures)]
    unlike = {(one.period, number) for one in found for number, _ in one.measures}

    def cell(at: int, number: int) -> Cell:
        written = _written(measures[number], float(measures[number].means[at]))
        return tag("b", text(written)) if (at, number) in unlike else written

    total = bars.counts.sum(axis=1)
    lines: list[list[Cell]] = [
        [name, int(total[at]), *(cell(at, number) for number in range(len(measures)))]
        for at, name in enumerate(names)
        if total[at]
    ]
    return table(f"Drift by {bars.unit.name}", heads, lines, range(1, len(heads)))


def _remark(found: Findings, unit: str) -> str:
    told = (
        f"A {unit} is told to be unlike the others where the odds of a label, or those of the mean probability, are at "
        "least double or half of theirs, by half a point of a hundred or more, and where chance would do so in one "
        "archive of a thousand at most (Hoeffding's bound); it is bold in the table. Confidence is the mean "
        "probability of the label given."
    )
    pieces = found.pieces
    if pieces is None:
        return f"{told} Unknown pieces are counted with --local only; a service has them in /stats."
    told += " Unknown pieces: the share of a text's tokens that the model's tokenizer does not know, on average"
    return f"{told}; one row in {pieces.every:,} was looked at for them." if pieces.every > 1 else f"{told}."
