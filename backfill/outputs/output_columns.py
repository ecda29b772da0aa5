"""The columns that a backfill adds to the input's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sluice.backfill.table.columns import TEXT, Column
from sluice.tasks.envelope import PROBABILITY_DECIMALS
from sluice.tasks.prediction_options import VERDICT
from sluice.tasks.wire.entry import Entry, fault_of, is_prediction

PREFIX = "sluice_"


@dataclass(frozen=True, slots=True)
class OutputColumns:
    """What is appended to a row, and under which names.

    Attributes:
        columns: label, probability, one score per label if they are wanted, verdict and rule if they are, model,
            version, error; in this order.
        label, probability, model, version, error: names of these columns.
        scores: names of the score columns by label; empty if they are not wanted.
        cells: the values of these columns for one answer; an error's answer has nothing but ``code: message``.
    """

    columns: tuple[Column, ...]
    label: str
    probability: str
    model: str
    version: str
    error: str
    scores: dict[str, str]
    cells: Callable[[Entry], list[Any]]


def output_columns(columns: Sequence[Column], labels: Sequence[str] | None, *, verdict: bool = False) -> OutputColumns:
    """What is added to an input of ``columns``; with ``labels``, one score column for each of them.

    Args:
        verdict: whether the verdict and its rule are added.

    A name that the input has already, in whatever case, gets the prefix ``sluice_``.
    """
    taken = {column.name.lower() for column in columns}
    label, probability = _free("label", taken), _free("probability", taken)
    scores = {name: _free(f"score_{name}", taken) for name in labels or ()}
    judged = [_free(name, taken) for name in VERDICT] if verdict else []
    model, version, error = _free("model", taken), _free("version", taken), _free("error", taken)
    numbers = {probability, *scores.values()}
    names = (label, probability, *scores.values(), *judged, model, version, error)
    return OutputColumns(
        columns=tuple(Column(name, pa.float64() if name in numbers else TEXT) for name in names),
        label=label,
        probability=probability,
        model=model,
        version=version,
        error=error,
        scores=scores,
        cells=_cells(tuple(scores), VERDICT if verdict else ()),
    )


def _free(name: str, taken: set[str]) -> str:
    while name.lower() in taken:
        name = PREFIX + name
    taken.add(name.lower())
    return name


def _cells(labels: tuple[str, ...], more: tuple[str, ...]) -> Callable[[Entry], list[Any]]:
    """Made once per backfill, for it is called once per row.

    Args:
        more: fields of an entry that are written as they stand.
    """
    blank = [None] * (4 + len(labels) + len(more))

    def cells(entry: Entry) -> list[Any]:
        if not is_prediction(entry):
            fault = fault_of(entry)
            return [*blank, f"{fault['code']}: {fault['message']}"]
        return [
            entry["label"],
            round(entry["probability"], PROBABILITY_DECIMALS),
            entry["model"],
            entry["version"],
            None,
        ]

    def cells_with_more(entry: Entry) -> list[Any]:
        if not is_prediction(entry):
            return cells(entry)
        label, probability, *rest = cells(entry)
        known = entry.get("scores", {})
        scores = [round(known[name], PROBABILITY_DECIMALS) if name in known else None for name in labels]
        return [label, probability, *scores, *map(entry.get, more), *rest]

    return cells_with_more if labels or more else cells
