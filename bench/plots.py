"""One look for all plots: readable labels with units, colours that colour-blind people tell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib import pyplot as plt, ticker

#: Okabe and Ito's palette, without its yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

STYLE: Any = {
    "figure.figsize": (8.0, 4.8),
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": plt.cycler(color=COLOURS),
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
}


def canvas(title: str, x: str, y: str, stamp: str, **size: Any) -> tuple[Any, Any]:
    """A figure with one pair of axes, a title that says what was measured, and ``stamp`` under it."""
    plt.rcParams.update(STYLE)
    figure, axes = plt.subplots(**size)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    axes.set_title(stamp, loc="left", fontsize=8.5, color="#555555", pad=8)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def canvases(title: str, count: int, stamp: str) -> tuple[Any, list[Any]]:
    """A figure with ``count`` small axes of the same scale, up to three in a row."""
    plt.rcParams.update(STYLE)
    columns = min(3, count)
    rows = -(-count // columns)
    figure, grid = plt.subplots(
        rows, columns, sharex=True, sharey=True, squeeze=False, figsize=(3.0 * columns, 0.9 + 2.1 * rows)
    )
    figure.suptitle(f"{title}\n", x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.text(0.01, 0.93, stamp, fontsize=8.5, color="#555555", va="top")
    spare = list(grid.flat)[count:]
    for axes in spare:
        axes.set_visible(False)
    return figure, list(grid.flat)[:count]


def plain_numbers(axis: Any) -> None:
    """1,000 and 0.5 in place of powers of ten."""
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def lines(axes: Any, series: Mapping[str, Sequence[Mapping[str, Any]]], x: str, y: str) -> None:
    """One line per name over the column ``x``; ``y_min`` and ``y_max``, where rows have them, as error bars."""
    for number, (name, rows) in enumerate(series.items()):
        style = {"marker": MARKERS[number % len(MARKERS)], "color": COLOURS[number % len(COLOURS)], "capsize": 3}
        at, value = np.array([row[x] for row in rows]), np.array([row[y] for row in rows], dtype=float)
        axes.errorbar(at, value, yerr=_errors(rows, y, value), label=name, **style)
    if len(series) > 1:
        axes.legend()


def bars(
    axes: Any,
    names: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    y: str,
    colour: str | Sequence[str] = COLOURS[0],
) -> None:
    """One bar a row with its value on top and its spread as error bars."""
    value = np.array([row[y] for row in rows], dtype=float)
    errors = _errors(rows, y, value)
    drawn = axes.bar(range(len(rows)), value, yerr=errors, capsize=4, color=colour, width=0.7)
    axes.bar_label(drawn, labels=[f"{one:,.0f}" if one >= 100 else f"{one:,.3g}" for one in value], padding=3)
    axes.set_xticks(range(len(rows)), names)
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.12)


def cdf(axes: Any, series: Mapping[str, np.ndarray]) -> None:
    """The share of requests (percent) answered within a time (ms, logarithmic); ``series`` are seconds."""
    for number, (name, seconds) in enumerate(series.items()):
        at = np.sort(np.asarray(seconds, dtype=float)) * 1000
        share = 100 * np.arange(1, len(at) + 1) / max(1, len(at))
        axes.step(at, share, where="post", label=name, color=COLOURS[number % len(COLOURS)])
    axes.set_xscale("log")
    axes.set_ylim(0, 101)
    few_log_ticks(axes.xaxis)
    if len(series) > 1:
        axes.legend(fontsize=9)


def few_log_ticks(axis: Any) -> None:
    """1, 2, 5, 10, … on a logarithmic axis, in plain digits."""
    axis.set_major_locator(ticker.LogLocator(base=10, subs=(1, 2, 5)))
    plain_numbers(axis)


def _errors(rows: Sequence[Mapping[str, Any]], y: str, value: np.ndarray) -> np.ndarray | None:
    """Shape (2, rows): how far the spread reaches below and above; None if there is none."""
    if not rows or f"{y}_min" not in rows[0]:
        return None
    low = np.array([row[f"{y}_min"] for row in rows], dtype=float)
    high = np.array([row[f"{y}_max"] for row in rows], dtype=float)
    errors = np.maximum(0, np.array([value - low, high - value]))
    return errors if errors.any() else None


def log_counts(axes: Any, counts: Sequence[int]) -> None:
    """A logarithmic x axis with a tick at each count and nowhere else."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(counts), [f"{count:,}" for count in counts])
    axes.xaxis.set_minor_locator(ticker.NullLocator())
