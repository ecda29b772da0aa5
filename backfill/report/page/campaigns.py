"""The section on campaigns: messages that read alike, those that nobody wants first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sluice.backfill.report.campaigns import STEPS_S, Campaign
from sluice.backfill.report.findings import Findings
from sluice.backfill.report.page.labels import Labels
from sluice.backfill.report.page.view import Name, Nothing, Part, Prose, Section
from sluice.backfill.report.times import NEVER
from sluice.backfill.report.words import day, minute, percent, plural, rows, span

TITLE = "Campaigns"
#: Groups that are shown, and the fewest rows of one.
TOP, MIN_ROWS = 15, 5
#: A group is worth a look if a label that most of it did not get has so large a part of it, and so many rows.
SPLIT_SHARE, SPLIT_ROWS = 0.05, 2

#: Start, length (s) and rows of a burst.
Burst = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """A campaign.

    Attributes:
        text: what its messages have in common; empty where no text may be shown.
        row: number of its first message.
        bar: its labels.
        facts: labels, senders, days, in words.
        remarks: what is worth a look.
    """

    rows: int
    text: str
    row: int
    bar: Sequence[Part]
    facts: Sequence[Prose]
    remarks: Sequence[str]


@dataclass(frozen=True, slots=True)
class CampaignList:
    """The campaigns to look at first.

    Attributes:
        share: of the rows that are long enough to tell, those that are in these groups.
        unwanted: the labels that come first; empty where none is known to be unwanted, or none of these groups has any.
        remarks: how many of them are worth a look, and why.
        texts: texts may be shown.
        missed: the most that a count may fall short by, in words; empty if nothing is missed.
        estimated: numbers of senders are.
    """

    template: ClassVar[str] = "campaigns.html"
    groups: Sequence[Group]
    share: str
    rows: str
    unwanted: str
    remarks: Sequence[str]
    texts: bool
    missed: str
    estimated: bool


def campaigns(found: Findings, labels: Labels) -> Section:
    """Groups of messages that read alike: by the share of unwanted labels, then by size."""
    groups = found.campaigns
    if groups is None:
        return Nothing(TITLE, "No labelled row has a text to look at.")
    unwanted = frozenset(number for number, name in enumerate(found.labels) if name in found.unwanted)
    top = groups.top(TOP, MIN_ROWS, unwanted)
    if not top:
        return Nothing(TITLE, f"No {MIN_ROWS} rows or more read alike.")
    whole_s = (found.timeline.last or 0) - (found.timeline.first or 0)
    bursts = [group.burst(whole_s) for group in top]
    return CampaignList(
        groups=[_group(group, burst, labels) for group, burst in zip(top, bursts, strict=True)],
        share=percent(sum(group.rows for group in top), groups.rows),
        rows=rows(groups.rows),
        unwanted=labels.named(found.unwanted) if any(group.count(unwanted) for group in top) else "",
        remarks=_worth_a_look(top, bursts),
        texts=found.examples is not None,
        missed=rows(groups.missed) if groups.missed else "",
        estimated=any(group.many for group in top),
    )


def _group(group: Campaign, burst: Burst | None, labels: Labels) -> Group:
    facts: list[Prose] = [_shares(group, labels)]
    if group.senders:
        facts.append(_senders(group))
    if group.first != NEVER:
        facts.append(span(group.first, group.last))
    return Group(group.rows, group.skeleton, group.row, _bar(group, labels), facts, _remarks(group, burst))


def _bar(group: Campaign, labels: Labels) -> list[Part]:
    return [
        Part(group.labels[at] / group.rows, label.style)
        for at, label in zip(labels.order, labels.swatches, strict=True)
        if group.labels.get(at)
    ]


def _shares(group: Campaign, labels: Labels) -> Prose:
    ordered = sorted(group.labels, key=lambda at: (-group.labels[at], at))
    names = dict(zip(labels.order, labels.shown, strict=True))
    if len(ordered) == 1:
        return [names[ordered[0]]]
    shares: list[str | Name] = []
    for at in ordered:
        shares += [", "] * bool(shares) + [names[at], f" {percent(group.labels[at], group.rows)}"]
    return shares


def _senders(group: Campaign) -> str:
    if group.many:
        return f"about {float(f'{group.distinct_senders:.2g}'):,.0f} senders"
    return plural(group.distinct_senders, "sender")


def _remarks(group: Campaign, burst: Burst | None) -> list[str]:
    """What is worth a look."""
    remarks = []
    if burst is not None:
        start, length_s, count = burst
        hours = length_s <= 2 * STEPS_S[0]
        when = f"2 hours from {minute(start)}" if hours else f"2 days from {day(start)}"
        remarks.append(f"Burst: {count:,} within {when}.")
    if is_split(group):
        remarks.append("Split between labels.")
    return remarks


def is_split(group: Campaign) -> bool:
    """Whether the model gave messages that read alike different labels, and not just once."""
    rest = group.rows - max(group.labels.values())
    return rest >= max(SPLIT_ROWS, SPLIT_SHARE * group.rows)


def _worth_a_look(top: Sequence[Campaign], bursts: Sequence[Burst | None]) -> list[str]:
    remarks = []
    if sudden := sum(burst is not None for burst in bursts):
        remarks.append(f"{plural(sudden, 'group')} came in a burst.")
    if torn := sum(map(is_split, top)):
        verb = "is" if torn == 1 else "are"
        remarks.append(f"{plural(torn, 'group')} {verb} split between labels, which is worth a look.")
    return remarks
