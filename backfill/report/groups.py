"""The section on campaigns: messages that read alike, by how many there are."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.backfill.report.campaigns import STEPS_S, Campaign, Campaigns
from sluice.backfill.report.findings import Findings
from sluice.backfill.report.markup import MAX_NAME_CHARS, Markup, join, paragraph, section, split, tag, text
from sluice.backfill.report.masking import visible
from sluice.backfill.report.sections import Labels
from sluice.backfill.report.times import NEVER
from sluice.backfill.report.words import day, minute, percent, plural, rows, span

TITLE = "Campaigns"
#: Groups that are shown, and the fewest rows of one.
TOP, MIN_ROWS = 15, 5
#: A group is worth a look if a label that most of it did not get has so large a part of it, and so many rows.
SPLIT_SHARE, SPLIT_ROWS = 0.05, 2


def campaigns(found: Findings, labels: Labels) -> Markup:
    """The largest groups of messages that read alike."""
    groups = found.campaigns
    if groups is None:
        return section(TITLE, paragraph("No labelled row has a text to look at."))
    top = groups.top(TOP, MIN_ROWS)
    if not top:
        return section(TITLE, paragraph(f"No {MIN_ROWS} rows or more read alike."))
    whole_s = (found.timeline.last or 0) - (found.timeline.first or 0)
    bursts = [group.burst(whole_s) for group in top]
    items = [_item(group, burst, labels) for group, burst in zip(top, bursts, strict=True)]
    return section(
        TITLE,
        paragraph(_intro(groups, top, [burst for burst in bursts if burst])),
        tag("ol", join(items), class_="texts groups"),
        paragraph(_method(groups, found), class_="muted"),
    )


def _item(group: Campaign, burst: tuple[int, int, int] | None, labels: Labels) -> Markup:
    facts = [_shares(group, labels)]
    if group.senders:
        facts.append(_senders(group))
    if group.first != NEVER:
        facts.append(span(group.first, group.last))
    parts = [_name(group), _bar(group, labels), paragraph(" · ".join(facts), class_="muted")]
    if told := _remarks(group, burst):
        parts.append(paragraph(told))
    return tag("li", join([tag("b", text(group.rows)), tag("div", join(parts))]))


def _name(group: Campaign) -> Markup:
    if group.skeleton:
        return tag("bdi", text(visible(group.skeleton)), dir="auto")
    return text(f"like row {group.row:,}")


def _bar(group: Campaign, labels: Labels) -> Markup:
    styles = dict(zip(labels.order, labels.styles, strict=True))
    shares = [(group.labels.get(at, 0) / group.rows, at) for at in labels.order]
    return split((share, "l{} h{}".format(*styles[at])) for share, at in shares if share)


def _shares(group: Campaign, labels: Labels) -> str:
    ordered = sorted(group.labels, key=lambda at: (-group.labels[at], at))
    names = dict(zip(labels.order, labels.names, strict=True))
    if len(ordered) == 1:
        return visible(names[ordered[0]], MAX_NAME_CHARS)
    return ", ".join(f"{visible(names[at], MAX_NAME_CHARS)} {percent(group.labels[at], group.rows)}" for at in ordered)


def _senders(group: Campaign) -> str:
    if group.many:
        return f"about {float(f'{group.distinct_senders:.2g}'):,.0f} senders"
    return plural(group.distinct_senders, "sender")


def _remarks(group: Campaign, burst: tuple[int, int, int] | None) -> str:
    """What is worth a look."""
    remarks = []
    if burst is not None:
        start, length_s, count = burst
        hours = length_s <= 2 * STEPS_S[0]
        when = f"2 hours from {minute(start)}" if hours else f"2 days from {day(start)}"
        remarks.append(f"Burst: {count:,} within {when}.")
    if is_split(group):
        remarks.append("Split between labels.")
    return " ".join(remarks)


def is_split(group: Campaign) -> bool:
    """Whether the model gave messages that read alike different labels, and not just once."""
    rest = group.rows - max(group.labels.values())
    return rest >= max(SPLIT_ROWS, SPLIT_SHARE * group.rows)


def _intro(groups: Campaigns, top: Sequence[Campaign], bursts: Sequence[tuple[int, int, int]]) -> str:
    together = sum(group.rows for group in top)
    largest = f"{plural(len(top), 'largest group')} {'has' if len(top) == 1 else 'have'}"
    told = [
        f"Messages that read alike but for names, links, numbers and codes. The {largest} "
        f"{percent(together, groups.rows)} of the {rows(groups.rows)} that are long enough to tell."
    ]
    if bursts:
        told.append(f"{plural(len(bursts), 'group')} came in a burst.")
    torn = sum(map(is_split, top))
    if torn:
        verb = "is" if torn == 1 else "are"
        told.append(f"{plural(torn, 'group')} {verb} split between labels, which is worth a look.")
    return " ".join(told)


def _method(groups: Campaigns, found: Findings) -> str:
    told = ["A row number is that of the first message of a group in the output, from 1 on."]
    if found.examples is not None:
        told = ["Shown is the first message of a group with # in place of links, addresses, numbers and codes."]
    told.append(
        "All of a group share about half of their runs of eight bytes, or more, with its first message (MinHash)."
    )
    if groups.missed:
        told.append(f"There are more groups than are kept: counts may fall short by up to {rows(groups.missed)}.")
    if any(group.many for group in groups.top(TOP, MIN_ROWS)):
        told.append("Many senders are estimated, within some 12%.")
    return " ".join(told)
