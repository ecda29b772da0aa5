"""Scores as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from sluice.training.scores import GroupScore, Scores


def print_scores(console: Console, scores: Scores) -> None:
    """By class, then by language and source where the data name them."""
    console.print(
        f"{scores.messages:,} messages   accuracy {scores.accuracy:.3f}   macro-F1 {scores.macro_f1:.3f}   "
        f"calibration error {scores.calibration_error:.3f}",
        soft_wrap=True,
    )
    console.print(_class_table(scores))
    for title, groups in (("language", scores.languages), ("source", scores.sources)):
        if groups:
            console.print(_group_table(title, groups))


def _class_table(scores: Scores) -> Table:
    table = Table("class", box=None, header_style="bold")
    for name in ("precision", "recall", "F1", "messages", *(f"read as {label}" for label in scores.labels)):
        table.add_column(name, justify="right")
    for one, row in zip(scores.classes, scores.confusion, strict=True):
        cells = [f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", f"{one.support:,}"]
        table.add_row(one.label, *cells, *(f"{count:,}" for count in row))
    return table


def _group_table(title: str, groups: Sequence[GroupScore]) -> Table:
    table = Table(title, box=None, header_style="bold")
    for name in ("messages", "accuracy", "macro-F1"):
        table.add_column(name, justify="right")
    for group in groups:
        table.add_row(group.name, f"{group.messages:,}", f"{group.accuracy:.3f}", f"{group.macro_f1:.3f}")
    return table
