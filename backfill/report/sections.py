"""The sections of the page, each made of findings; a section without anything to tell is one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sluice.backfill.report import palette, plots, scripts
from sluice.backfill.report.findings import UNSURE, WANTED, Findings
from sluice.backfill.report.markup import (
    MAX_NAME_CHARS,
    Cell,
    Markup,
    bar,
    figure,
    join,
    paragraph,
    section,
    swatch,
    table,
    tag,
    text,
)
from sluice.backfill.report.masking import MAX_SENDER_CHARS, visible
from sluice.backfill.report.senders import MIN_ROWS, Sender
from sluice.backfill.report.times import Times
from sluice.backfill.report.words import duration, percent, plural, rate, rows
from sluice.backfill.tally import Tally

TOP_SENDERS = 15
#: Points of the throughput curve.
CURVE_POINTS = 90
#: Scripts in the picture; all are in the table.
DRAWN_SCRIPTS = 12


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels that occur, the most frequent first, with their looks.

    Attributes:
        order: their numbers in the findings.
        names: as they are called, in this order.
        swatches: names with their colours.
    """

    order: list[int]
    names: list[str]
    styles: list[tuple[int, int]]
    swatches: list[Markup]
    drawn: list[str]

    @classmethod
    def of(cls, found: Findings) -> Labels:
        """Labels that no row got are left out. Colours depend on all names, not on the counts."""
        counts = found.counts
        by_name = dict(zip(sorted(found.labels), palette.styles(sorted(found.labels)), strict=True))
        order = sorted((at for at in range(len(counts)) if counts[at]), key=lambda at: (-counts[at], found.labels[at]))
        names = [found.labels[at] for at in order]
        styles = [by_name[name] for name in names]
        swatches = [swatch(name, f"l{colour} h{round_}") for name, (colour, round_) in zip(names, styles, strict=True)]
        return cls(order, names, styles, swatches, plots.drawable(names))

    def picture(self, draw: Callable[[plots.Look], bytes], alt: str, caption: str) -> Markup:
        """What ``draw`` makes, for light and for dark pages."""
        made = []
        for theme in (palette.LIGHT, palette.DARK):
            with plots.styled(theme):
                made.append(draw(plots.Look(theme, self.drawn, self.styles)))
        return figure(made[0], made[1], alt, caption, plots.WIDTH)


def by_label(found: Findings, labels: Labels) -> Markup:
    """Counts and shares."""
    if not labels.order:
        return section("Labels", paragraph("No row got a label."))
    counts = found.counts[labels.order]
    good = int(counts.sum())
    shares = [f"{name} {percent(count, good)} ({count:,})" for name, count in _named(labels, counts)]
    picture = labels.picture(
        lambda look: plots.shares(look, counts),
        f"Bar chart of rows by label: {_listed(shares)}.",
        f"Rows by label, of {rows(good)} with one: {_listed(shares)}.",
    )
    return section("Labels", picture)


def over_time(found: Findings, labels: Labels) -> Markup:
    """Rows and shares by label in the course of time."""
    title = "Over time"
    if found.times is None:
        return section(title, paragraph("No column is known to hold the times; --time-column names one."))
    bars = found.timeline.bars(len(found.labels))
    if bars is None:
        remarks = unread_times(found.times)
        return section(title, paragraph("No labelled row has a time that could be read."), *map(paragraph, remarks))
    remarks = [*unread_times(found.times), *_time_remarks(found.times, bars.outside)]
    counts = bars.counts[:, labels.order]
    shown = replace(bars, counts=counts)
    names = [plots.moment(start, bars) for start in bars.starts.tolist()]
    total = counts.sum(axis=1)
    peak = int(total.argmax())
    when = f" on {plots.on_one_day(bars)}" if plots.on_one_day(bars) else ""
    caption = (
        f"Rows and shares by label, one bar per {bars.unit.name}, {from_to(names)}{when}; "
        f"most rows: {int(total[peak]):,} ({names[peak]})."
    )
    picture = labels.picture(lambda look: plots.over_time(look, shown), f"Stacked bar charts. {caption}", caption)
    heads = [f"From ({bars.unit.name})", "Rows", *labels.swatches]
    lines: list[list[Cell]] = [
        [name, int(total[at]), *counts[at].tolist()] for at, name in enumerate(names) if total[at]
    ]
    figures = table("Rows by label over time", heads, lines, range(1, len(heads)))
    return section(title, picture, figures, *(paragraph(remark, class_="muted") for remark in remarks))


def from_to(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def unread_times(times: Times) -> list[str]:
    """Sentences on what could not be read."""
    remarks = []
    if times.missing:
        remarks.append(f"{rows(times.missing)} had no time.")
    if times.unreadable:
        remarks.append(
            f"{rows(times.unreadable)} had a time that could not be read, or one outside of 1990 to 2099; "
            "they are in all other sections."
        )
    return remarks


def _time_remarks(times: Times, outside: int) -> list[str]:
    """Sentences on what is not shown, and on zones."""
    remarks = []
    if outside:
        remarks.append(f"{rows(outside)} lie far outside this span and are left out of it here.")
    if times.zoned:
        some = "All times" if times.zoned >= times.read else "Times with a zone"
        remarks.append(f"{some} are in UTC.")
    if times.zoned < times.read:
        some = "Times" if not times.zoned else "Those without one"
        remarks.append(f"{some} are shown as they were written; numbers of seconds since 1970 are in UTC.")
    if times.order is not None:
        order = "month/day/year" if times.order == "mdy" else "day/month/year"
        sure = "" if times.settled else "; no date showed which one it is"
        remarks.append(f"Dates such as 05/11/2026 were read as {order}{sure}.")
    return remarks


def by_script(found: Findings, labels: Labels) -> Markup:
    """Labels by the script of most letters."""
    title = "Language scripts"
    if found.by_script is None or not found.by_script.any():
        return section(title, paragraph("No labelled row has a text to look at."))
    counts = found.by_script[:, labels.order]
    total = counts.sum(axis=1)
    order = [at for at in np.argsort(-total, kind="stable").tolist() if total[at]]
    names = [scripts.NAMES[at] for at in order]
    parts = [f"{name} {percent(count, int(total.sum()))}" for name, count in _zipped(names, total[order])]
    drawn = order[:DRAWN_SCRIPTS]
    most = f"; the picture has the {DRAWN_SCRIPTS} most frequent" if len(order) > DRAWN_SCRIPTS else ""
    picture = labels.picture(
        lambda look: plots.by_script(look, names[:DRAWN_SCRIPTS], counts[drawn]),
        f"Stacked bar chart of the share of each label by script. Rows by script: {_listed(parts)}.",
        f"Shares of labels by the script of most letters of a text{most}. Rows by script: {_listed(parts)}.",
    )
    heads = ["Script", "Rows", *labels.swatches]
    lines: list[list[Cell]] = [[scripts.NAMES[at], int(total[at]), *counts[at].tolist()] for at in order]
    return section(title, picture, table("Rows by script and label", heads, lines, range(1, len(heads))))


def top_senders(found: Findings, labels: Labels, show: Callable[[str], str]) -> Markup:
    """Who sends most of what nobody wants, else simply who sends most; ``show`` says how a sender is shown."""
    title = "Senders"
    senders = found.senders
    if senders is None:
        return section(title, paragraph("No column is known to hold the senders; --sender-column names one."))
    if not senders.distinct:
        return section(title, paragraph("No labelled row has a sender."))
    names = " + ".join(name for name in labels.names if name in found.unwanted)
    parts = _ranked(senders.top(TOP_SENDERS), show, names) or _busiest(found, labels.names, show)
    return section(title, *parts, paragraph(_sender_counts(found), class_="muted"))


def _ranked(senders: Sequence[Sender], show: Callable[[str], str], unwanted: str) -> list[Markup]:
    if not senders:
        return []
    intro = (
        f"Ranked by the share of {unwanted} among their rows, or rather by the least that this share could well be: "
        "the lower end of its 95% interval (Wilson), so that 1 of 1 does not win. Senders with fewer than "
        f"{MIN_ROWS} rows are not ranked."
    )
    lines: list[list[Cell]] = [
        [_first(show(one.name)), one.rows, one.unwanted, percent(one.unwanted, one.rows),
         f"{100 * one.bound:.0f}%", bar(one.bound)]
        for one in senders
    ]  # fmt: skip
    heads = ["Sender", "Rows", unwanted, "Share", "At least", ""]
    return [paragraph(intro), table("Senders by share of unwanted rows", heads, lines, range(1, 5))]


def _busiest(found: Findings, labels: Sequence[str], show: Callable[[str], str]) -> list[Markup]:
    """Whoever sends most, where nobody can be ranked."""
    assert found.senders is not None
    senders = found.senders.busiest(TOP_SENDERS)
    if not senders:
        few = f"No sender has {MIN_ROWS} rows or more."
        return [paragraph("No sender has so many rows that it stands out." if found.senders.missed else few)]
    if not found.unwanted and not WANTED.issuperset(label.casefold() for label in labels):
        intro = "Which of these labels are unwanted is not known, so the senders with most rows are shown."
    else:
        intro = f"No sender with {MIN_ROWS} rows or more sent any unwanted message; these sent most rows."
    lines: list[list[Cell]] = [[_first(show(one.name)), one.rows, percent(one.rows, found.rows)] for one in senders]
    heads = ["Sender", "Rows", "Share of all rows"]
    return [paragraph(intro), table("Senders with most rows", heads, lines, range(1, 3))]


def _first(sender: str) -> Markup:
    return Markup(f"<bdi>{text(sender, MAX_SENDER_CHARS)}</bdi>")


def _sender_counts(found: Findings) -> str:
    senders = found.senders
    assert senders is not None
    remarks = []
    if senders.missed:
        remarks.append(
            f"There are more senders than are counted exactly: counts may fall short by up to {rows(senders.missed)}."
        )
    else:
        remarks.append(f"{plural(senders.distinct, 'sender')} in all.")
    if found.unnamed:
        remarks.append(f"{rows(found.unnamed)} had none.")
    return " ".join(remarks)


def certainty(found: Findings, labels: Labels) -> Markup:
    """How probable the model called the labels that it gave."""
    title = "How sure the model is"
    if not labels.order:
        return section(title, paragraph("No row got a label."))
    counts = found.counts[labels.order]
    unsure = found.unsure[labels.order]
    good = int(counts.sum())
    limits = [
        f"below {limit:g}: {percent(int(below), good)}" for limit, below in zip(UNSURE, unsure.sum(0), strict=True)
    ]
    caption = (
        f"Rows by the probability of the label that they got, in steps of 0.05. Share of all rows {_listed(limits)}; "
        f"the dashed line is at {UNSURE[-1]:g}."
    )
    if len(labels.order) > 1:
        caption += " Each label has a scale of its own."
    bins = found.bins[labels.order]
    picture = labels.picture(lambda look: plots.probabilities(look, bins), f"Histograms. {caption}", caption)
    heads = ["Label", "Rows", *(head for limit in UNSURE for head in (f"Below {limit:g}", "Share"))]
    lines: list[list[Cell]] = [
        [
            labels.swatches[at],
            int(counts[at]),
            *(cell for below in unsure[at].tolist() for cell in (below, percent(below, int(counts[at])))),
        ]
        for at in range(len(labels.order))
    ]
    return section(title, picture, table("Rows with an unsure label", heads, lines, range(1, len(heads))))


def throughput(tally: Tally, labels: Labels) -> Markup:
    """Rows a second in the course of the run."""
    title = "Throughput"
    at, done = _curve(tally)
    if len(at) < 3:
        return section(title, paragraph("The run was too short for a curve."))
    edges = np.linspace(0, at[-1], min(CURVE_POINTS, len(at) - 1) + 1)
    rates = np.diff(np.interp(edges, at, done)) / np.diff(edges)
    restarts = [second for second in tally.restarts if 0 < second < at[-1]]
    mean, most = rate(tally.rows, tally.seconds), rate(rates.max(), 1)
    whole = f"Rows written a second: {mean} on average over {duration(tally.seconds)}; {most} in the quickest part."
    if restarts:
        times = "once" if len(restarts) == 1 else f"{len(restarts)} times"
        whole += f" The run was stopped and carried on {times} (dashed lines)."
    picture = labels.picture(
        lambda look: plots.throughput(look.theme, edges, rates, restarts),
        f"Curve of the rate over the run. {whole}",
        whole,
    )
    return section(title, picture)


def _curve(tally: Tally) -> tuple[np.ndarray, np.ndarray]:
    """Times (s) and rows done by then, both from 0 on and rising."""
    points = np.array([(0.0, 0), *tally.samples], dtype=float)
    rising = np.concatenate([[True], np.diff(np.maximum.accumulate(points[:, 0])) > 0])
    return points[rising, 0], np.maximum.accumulate(points[:, 1])[rising]


def errors(found: Findings) -> Markup:
    """Rows without a label, by the reason."""
    title = "Errors"
    if not found.errors:
        return section(title, paragraph("Every row got a label."))
    lines: list[list[Cell]] = [[code, count, percent(count, found.rows)] for code, count in found.errors.most_common()]
    intro = f"{rows(found.errors.total())} got no label; the output says why, row by row."
    return section(title, paragraph(intro), table("Errors", ["Error", "Rows", "Share of all rows"], lines, range(1, 3)))


def examples(found: Findings, labels: Labels) -> Markup:
    """Texts of each label; only where they are wanted."""
    kept = found.examples
    if kept is None:
        return Markup("")
    parts = []
    for number, name in zip(labels.order, labels.swatches, strict=True):
        for title, texts in (("surest", kept.surest), ("least sure", kept.least)):
            parts.append(tag("h3", Markup(f"{name}, {title}")))
            items = (
                f'<li><b>{probability:.3f}</b><bdi dir="auto">{text(visible(line))}</bdi></li>'
                for probability, line in texts.get(number, [])
            )
            parts.append(Markup(f'<ul class="texts">{join(items)}</ul>'))
    if not parts:
        parts.append(paragraph("No labelled row has a text."))
    return section("Examples", *parts)


def notes(tally: Tally) -> Markup:
    """What the reader of the archive had to say."""
    if not tally.notes:
        return Markup("")
    return section("Notes", tag("ul", join(f"<li>{text(note)}</li>" for note in tally.notes)))


def _named(labels: Labels, counts: np.ndarray) -> list[tuple[str, int]]:
    return _zipped([visible(name, MAX_NAME_CHARS) for name in labels.names], counts)


def _zipped(names: Sequence[str], counts: np.ndarray) -> list[tuple[str, int]]:
    return list(zip(names, counts.tolist(), strict=True))


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts)
