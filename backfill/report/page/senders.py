"""The section on senders: who sends most of what nobody wants, else simply who sends most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from sluice.backfill.report.findings import WANTED, Findings
from sluice.backfill.report.page.labels import Labels
from sluice.backfill.report.page.view import Nothing, Section
from sluice.backfill.report.senders import MIN_ROWS, Senders
from sluice.backfill.report.words import percent, plural, rows
from sluice.backfill.run.facts import Option
from sluice.tasks.sentence import Sentence

TITLE = "Senders"
TOP_SENDERS = 15


@dataclass(frozen=True, slots=True)
class SenderLine:
    """A sender, as it may be shown.

    Attributes:
        share: of unwanted rows among all of its own, or of its own among all, in words.
        bound: the least that the former could well be, 0..1.
    """

    name: str
    rows: int
    share: str
    unwanted: int = 0
    bound: float = 0.0


@dataclass(frozen=True, slots=True)
class RankedSenders:
    """Those with the highest share of the labels ``unwanted``."""

    template: ClassVar[str] = "senders.html"
    unwanted: str
    min_rows: int
    lines: Sequence[SenderLine]
    remarks: Sequence[str]


@dataclass(frozen=True, slots=True)
class BusiestSenders:
    """Those with most rows, where nobody can be ranked: ``why``."""

    template: ClassVar[str] = "busiest.html"
    why: str
    lines: Sequence[SenderLine]
    remarks: Sequence[str]


def top_senders(found: Findings, labels: Labels, show: Callable[[str], str]) -> Section:
    """``show`` says how a sender is shown."""
    senders = found.senders
    if senders is None:
        why = "No column is known to hold the senders; {option} names one."
        return Nothing(TITLE, Sentence(why, option=Option.SENDER_COLUMN))
    if not senders.distinct:
        return Nothing(TITLE, "No labelled row has a sender.")
    ranked = [
        SenderLine(show(one.name), one.rows, percent(one.unwanted, one.rows), one.unwanted, one.bound)
        for one in senders.top(TOP_SENDERS)
    ]
    if ranked:
        return RankedSenders(labels.named(found.unwanted), MIN_ROWS, ranked, _remarks(found, senders))
    busiest = [
        SenderLine(show(one.name), one.rows, percent(one.rows, found.rows)) for one in senders.busiest(TOP_SENDERS)
    ]
    if not busiest:
        few = f"No sender has {MIN_ROWS} rows or more."
        why = "No sender has so many rows that it stands out." if senders.missed else few
        return Nothing(TITLE, why, _remarks(found, senders))
    return BusiestSenders(_unranked(found, labels), busiest, _remarks(found, senders))


def _unranked(found: Findings, labels: Labels) -> str:
    if not found.unwanted and not WANTED.issuperset(label.casefold() for label in labels.names):
        return "Which of these labels are unwanted is not known, so the senders with most rows are shown."
    return f"No sender with {MIN_ROWS} rows or more sent any unwanted message; these sent most rows."


def _remarks(found: Findings, senders: Senders) -> list[str]:
    counted = f"{plural(senders.distinct, 'sender')} in all."
    if senders.missed:
        counted = (
            f"There are more senders than are counted exactly: counts may fall short by up to {rows(senders.missed)}."
        )
    return [counted, f"{rows(found.unnamed)} had none."] if found.unnamed else [counted]
