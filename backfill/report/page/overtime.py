"""The section on time: rows and shares by label in the course of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from sluice.backfill.report import plots
from sluice.backfill.report.findings import Findings
from sluice.backfill.report.page.labels import Labels
from sluice.backfill.report.page.view import CountTable, Nothing, Picture, Section
from sluice.backfill.report.times import Times
from sluice.backfill.report.words import rows
from sluice.backfill.run.facts import Option
from sluice.tasks.sentence import Sentence

TITLE = "Over time"


@dataclass(frozen=True, slots=True)
class OverTime:
    """A bar and a line for each unit of time; ``remarks`` are on what is not shown, and on zones."""

    template: ClassVar[str] = "overtime.html"
    picture: Picture
    table: CountTable
    remarks: Sequence[str]


def over_time(found: Findings, labels: Labels) -> Section:
    if found.times is None:
        why = "No column is known to hold the times; {option} names one."
        return Nothing(TITLE, Sentence(why, option=Option.TIME_COLUMN))
    bars = found.timeline.bars(len(found.labels))
    if bars is None:
        return Nothing(TITLE, "No labelled row has a time that could be read.", _unread(found.times))
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
    return OverTime(
        labels.picture(lambda look: plots.over_time(look, shown), f"Stacked bar charts. {caption}", caption),
        labels.table("Rows by label over time", f"From ({bars.unit.name})", names, counts),
        [*_unread(found.times), *_remarks(found.times, bars.outside)],
    )


def from_to(names: Sequence[str]) -> str:
    """The first and the last one, if there are two."""
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _unread(times: Times) -> list[str]:
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


def _remarks(times: Times, outside: int) -> list[str]:
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
