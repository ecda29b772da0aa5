"""Scores as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluice.training.scores import GroupScore, Scores

if TYPE_CHECKING:
    from sluice.training.gate import Failure
    from sluice.training.intervals import Estimate
    from sluice.training.results import Comparison, PoolResult

LANGUAGES = 12
"""Languages of a pool that get a row, of several pools; the rest are in the folder's files."""
NOTHING = "–"


def print_scores(console: Console, scores: Scores) -> None:
    """By class, then by language and source where the data name them."""
    console.print(
        f"{scores.messages:,} messages   accuracy {scores.accuracy:.3f}   macro-F1 {scores.macro_f1:.3f}   "
        f"calibration error {scores.calibration_error:.3f}",
        soft_wrap=True,
    )
    print_classes(console, scores)
    for title, groups in (("language", scores.languages), ("source", scores.sources)):
        if groups:
            console.print(_group_table(title, groups))


def print_classes(console: Console, scores: Scores) -> None:
    """Precision, recall, F1 and confusion by class."""
    table = Table("class", box=None, header_style="bold", pad_edge=False)
    for name in ("precision", "recall", "F1", "messages", *(f"read as {label}" for label in scores.labels)):
        table.add_column(name, justify="right")
    for one, row in zip(scores.classes, scores.confusion, strict=True):
        cells = [f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", f"{one.support:,}"]
        table.add_row(one.label, *cells, *(f"{count:,}" for count in row))
    console.print(table)


def print_pools(console: Console, results: Sequence[PoolResult], names: Sequence[str], title: str) -> None:
    """One row a pool: the measures `names`, as far as a pool has them, each over its interval."""
    names = [name for name in names if any(name in result.estimates for result in results)]
    if not names:
        return
    console.print(Text(f"\n{title}", style="bold"), soft_wrap=True)
    table = _measure_table("pool", names)
    for result in results:
        table.add_row(result.pool.name, f"{result.scores.messages:,}", *_cells(result.estimates, names))
    console.print(table)


def print_languages(console: Console, results: Sequence[PoolResult], names: Sequence[str]) -> None:
    """One row a language, by pool, without intervals: those are in the folder's files."""
    names = [name for name in names if any(name in result.estimates for result in results)]
    for result in results:
        shown = dict(list(result.languages.items())[: LANGUAGES if len(results) > 1 else None])
        if not shown:
            continue
        console.print(Text(f"\n{result.pool.name}, by language", style="bold"), soft_wrap=True)
        table = _measure_table("language", names)
        for language, found in shown.items():
            cells = (figure(name, found[name].value) if name in found else NOTHING for name in names)
            table.add_row(language, f"{found['accuracy'].of:,}", *cells)
        console.print(table)
        if left := len(result.languages) - len(shown):
            console.print(f"and {left} more languages (-o writes them all)", style="dim")


def print_comparison(console: Console, comparisons: Sequence[Comparison], names: Sequence[str], title: str) -> None:
    """Differences by pool, then which labels changed."""
    names = [name for name in names if any(name in one.differences for one in comparisons)]
    console.print(Text(f"\n{title}", style="bold"), soft_wrap=True)
    table = _measure_table("pool", names, ("fixed", "broken", "p"))
    for one in comparisons:
        counts = (f"{one.fixed:,}", f"{one.broken:,}", f"{one.p_value:.2g}")
        table.add_row(one.pool.name, *counts, *_cells(one.differences, names, signed=True))
    console.print(table)
    console.print("fixed, broken: only this, only the other model is right; p: McNemar's exact test", style="dim")
    changes = _plain_table(("pool", "other said", "this says", "messages", "fixed", "broken"), text=3)
    for one in comparisons:
        for change in one.changes:
            cells = (f"{count:,}" for count in (change.messages, change.fixed, change.broken))
            changes.add_row(one.pool.name, change.before, change.after, *cells)
    if changes.row_count:
        console.print()
        console.print(changes)


def print_disguised(console: Console, found: Mapping[str, Estimate]) -> None:
    """One row a style: of the bad that it changes and that is blocked in plain writing, the share still blocked."""
    console.print(Text("\nOf the bad blocked in plain writing, blocked in disguise", style="bold"), soft_wrap=True)
    table = _measure_table("style", ["kept"])
    for style, one in found.items():
        table.add_row(style, f"{one.of:,}", *_cells({"kept": one}, ["kept"]))
    console.print(table)


def figure(name: str, value: float, signed: bool = False) -> str:
    """A measure's value as it is shown: a share in percent, a score with three digits."""
    from sluice.training.measures import MEASURES

    sign = "+" if signed else ""
    return format(value, f"{sign}.1%") if MEASURES[name].percent else format(value, f"{sign}.3f")


def span(name: str, estimate: Estimate, signed: bool = False) -> str:
    """A measure's interval."""
    from sluice.training.measures import MEASURES

    sign = "+" if signed else ""
    between = " to " if signed else "–"
    scale, digits = (100, ".1f") if MEASURES[name].percent else (1, ".3f")
    return between.join(format(scale * value, sign + digits) for value in (estimate.low, estimate.high))


def _cells(found: Mapping[str, Estimate], names: Iterable[str], signed: bool = False) -> list[Text]:
    cells = []
    for name in names:
        if name not in found:
            cells.append(Text(NOTHING))
            continue
        cell = Text(figure(name, found[name].value, signed))
        cells.append(cell.append(f"\n{span(name, found[name], signed).replace(' to ', chr(10))}", style="dim"))
    return cells


def _measure_table(first: str, names: Sequence[str], counts: Sequence[str] = ("messages",)) -> Table:
    from sluice.training.measures import MEASURES

    titles = [MEASURES[name].title.replace(" ", "\n", 1) for name in names]
    return _plain_table((first, *counts, *titles), text=1)


def _plain_table(titles: Sequence[str], text: int) -> Table:
    """A table without lines, the first `text` columns to the left; 80 columns hold it, with short names."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for number, title in enumerate(titles):
        left = number < text
        table.add_column(title, justify="left" if left else "right", overflow="fold", vertical="top", no_wrap=not left)
    return table


def _group_table(title: str, groups: Sequence[GroupScore]) -> Table:
    table = Table(title, box=None, header_style="bold", pad_edge=False)
    for name in ("messages", "accuracy", "macro-F1"):
        table.add_column(name, justify="right")
    for group in groups:
        table.add_row(group.name, f"{group.messages:,}", f"{group.accuracy:.3f}", f"{group.macro_f1:.3f}")
    return table


def print_failures(console: Console, failures: Sequence[Failure]) -> None:
    """What a gate did not let through, and by how much."""
    table = _plain_table(("pool", "language", "figure", "is", "interval", "limit", "off by"), text=3)
    for one in failures:
        rule, name = one.rule, one.rule.measure
        limit = f"{'≥' if rule.floor else '≤'} {figure(name, rule.limit)}"
        cells = (figure(name, one.found.value), span(name, one.found), limit, figure(name, one.by))
        table.add_row(rule.pool, rule.language or "all", name, *cells)
    console.print(table)
