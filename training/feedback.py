"""Reviewed corrections: messages that a model answered and a person looked at.

A CSV file with the columns `text`, `label` (what is right) and `answered` or `predicted` (what the model said);
`version` and `at` may stand beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.training.data import Columns, DataError, Example, filled, read_label, read_rows

ANSWERED = ("answered", "predicted")
SOURCE = "feedback"


@dataclass(frozen=True)
class Correction:
    """One message with what was answered and what is right."""

    text: str
    label: str
    answered: str
    language: str = ""


@dataclass(frozen=True)
class Joined:
    """Training data with corrections among them."""

    data: list[Example]
    corrections: list[Correction]
    """That are learned from, each once."""
    held_out: int
    """Corrections left out because the validation data hold their text."""
    overruled: int
    """Messages of the data left out because a correction gives their text another label."""


def read_corrections(paths: Sequence[Path], labels: Sequence[str], columns: Columns) -> list[Correction]:
    """Reads the files; a text that comes again with the same label counts once.

    Raises DataError for a missing column or file, an empty cell, a label that is not among `labels`, and a text with
    two labels.
    """
    found: dict[str, tuple[Correction, str]] = {}
    for path in paths:
        for where, row in read_rows(path, (columns.text, columns.label)):
            correction = Correction(
                filled(row, columns.text, where),
                read_label(row, columns.label, labels, where),
                read_label(row, _answered(row, path), labels, where),
                row.get(columns.language) or "",
            )
            former, place = found.setdefault(_key(correction.text), (correction, where))
            if former.label != correction.label:
                raise DataError(f"{where}: label {correction.label!r}, but {former.label!r} for that text in {place}.")
    return [correction for correction, _ in found.values()]


def join(data: Sequence[Example], corrections: Sequence[Correction], valid: Iterable[Example], weight: int) -> Joined:
    """Puts each correction `weight` times among the data, unless `valid` holds its text."""
    held_out = {_key(example.text) for example in valid}
    kept = [one for one in corrections if _key(one.text) not in held_out]
    labels = {_key(one.text): one.label for one in kept}
    agreeing = [example for example in data if labels.get(_key(example.text), example.label) == example.label]
    added = [Example(one.text, one.label, one.language, SOURCE, reviewed=True) for one in kept for _ in range(weight)]
    return Joined([*agreeing, *added], kept, len(corrections) - len(kept), len(data) - len(agreeing))


def _answered(row: dict[str, str | None], path: Path) -> str:
    column = next((name for name in ANSWERED if name in row), None)
    if column is None:
        raise DataError(f"{path}: there is no column 'answered' (or 'predicted') with what the model said.")
    return column


def _key(text: str) -> str:
    """The same for texts that differ in spaces and case only."""
    return " ".join(text.split()).casefold()
