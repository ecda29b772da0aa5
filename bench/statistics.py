"""Medians, spreads and percentiles, of runs and of latencies."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

#: A row of a table: figures and words by column. Arrays in it are for plots and never reach a file.
Row = dict[str, Any]


def median(values: Iterable[float]) -> float:
    """The middle value; raises ValueError if there is none."""
    try:
        return float(statistics.median(values))
    except statistics.StatisticsError as exc:
        raise ValueError("no values have no median") from exc


def spread(values: Iterable[float]) -> tuple[float, float]:
    """Smallest and largest value."""
    kept = list(values)
    return float(min(kept)), float(max(kept))


def percentile(values: Sequence[float] | np.ndarray, share: float) -> float:
    """The smallest value that at least ``share`` percent of all do not exceed; NaN if there are no values."""
    if not len(values):
        return float("nan")
    return float(np.percentile(np.asarray(values, dtype=float), share, method="inverted_cdf"))


def summarise(rows: Sequence[Mapping[str, Any]], by: Sequence[str], values: Sequence[str]) -> list[Row]:
    """One row per distinct ``by``, in order of first appearance, over the runs that share it.

    Returns:
        Rows with the columns of ``by``, ``runs``, and for every value its median under its own name, and
        ``NAME_min`` and ``NAME_max``.
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in by), []).append(row)
    summary = []
    for key, members in groups.items():
        line: Row = {**dict(zip(by, key, strict=True)), "runs": len(members)}
        for name in values:
            line[name] = median(row[name] for row in members)
            line[f"{name}_min"], line[f"{name}_max"] = spread(row[name] for row in members)
        summary.append(line)
    return summary
