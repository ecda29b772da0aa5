"""Pictures of scores. Colours differ in lightness too, so that nobody needs to see red and green."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter

from sluice.training.curves import Bin, Roc
from sluice.training.measures import ECE_BINS
from sluice.training.scores import Scores

INK, BLUE, GREY = "#16324f", "#1f6fb2", "#8a949e"
COLUMNS = 3
PANELS = 12
"""Languages with a panel of their own; the figures of all are in metrics.json."""
CUT_OFF = 0.001
"""The least share of ham blocked that the ROC shows; the axis is logarithmic, for a gateway lives at its left end."""


def save_confusion(scores: Scores, path: Path, title: str) -> None:
    """Draws the confusion matrix: colour is the share of each true class, the figures are messages and shares."""
    counts = np.array(scores.confusion)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    size = 2.2 + 1.1 * len(scores.labels)
    figure, axes = plt.subplots(figsize=(size + 0.8, size), layout="constrained")
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*counts.shape):
        colour = "white" if shares[row, column] > 0.5 else INK
        text = f"{counts[row, column]:,}\n{shares[row, column]:.1%}" if counts[row].any() else "–"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=11)
    ticks = range(len(scores.labels))
    names = [_plain(label) for label in scores.labels]
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names, rotation=90, va="center")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(
        f"{_plain(title)}\nmacro-F1 {scores.macro_f1:.3f}, {scores.messages:,} messages", fontsize=11, wrap=True
    )
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
    _save(figure, path)


def save_reliability(pools: Mapping[str, tuple[Sequence[Bin], float]], path: Path, title: str) -> None:
    """Draws for each pool, from its bins and its ECE, the share of right labels over the stated probability."""
    figure, panels = _panels(len(pools), height=3.4)
    for (name, (bins, ece)), axes in zip(pools.items(), panels, strict=True):
        at, right = [one.stated for one in bins], [one.right for one in bins]
        spread = [[one.right - one.low for one in bins], [one.high - one.right for one in bins]]
        total = sum(one.messages for one in bins)
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
        for one in bins:  # how many messages each point stands for
            height = 0.22 * one.messages / total
            left = min(int(one.stated * ECE_BINS), ECE_BINS - 1) / ECE_BINS
            axes.bar(left, height, width=1 / ECE_BINS, align="edge", color="#d5dde5", edgecolor="white")
        axes.errorbar(at, right, yerr=spread, color=BLUE, marker="o", markersize=5, linewidth=1.4, capsize=2.5)
        axes.set_xlim(0, 1)
        axes.set_ylim(-0.03, 1.03)
        axes.set_aspect("equal")
        axes.set_title(f"{name}: {total:,} messages, ECE {ece:.3f}", fontsize=10)
        _percent(axes.xaxis)
        _percent(axes.yaxis)
    figure.supxlabel("probability of the most likely label; grey bars: share of the messages", fontsize=10)
    figure.supylabel("share of right labels, 95% interval", fontsize=10)
    figure.suptitle(_plain(title), fontsize=12)
    _save(figure, path)


def save_roc(overall: Roc, languages: Mapping[str, Roc], path: Path, title: str, left_out: int) -> None:
    """Draws one panel a language, its curve over that of all messages; `left_out` have too few messages for one."""
    shown = dict(sorted(languages.items(), key=lambda one: -min(one[1].ham, one[1].bad))[:PANELS])
    figure, panels = _panels(1 + len(shown), height=3.1)
    for (name, one), axes in zip([("all", overall), *shown.items()], panels, strict=True):
        if one is not overall:
            axes.step(*_drawn(overall), where="post", color=GREY, linewidth=1.2, linestyle=(0, (4, 2)))
        axes.step(*_drawn(one), where="post", color=INK if one is overall else BLUE, linewidth=2)
        axes.set_xscale("log")
        axes.set_xlim(CUT_OFF, 1)
        axes.set_ylim(0, 1.02)
        axes.set_title(f"{_plain(name)}: {one.ham:,} ham, {one.bad:,} bad, AUC {one.area:.3f}", fontsize=9.5)
        axes.set_xticks([0.001, 0.01, 0.1, 1], ["0.1%", "1%", "10%", "100%"])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.axvspan(CUT_OFF, max(CUT_OFF, 1 / one.ham), color="#eef1f4", zorder=0)
        _percent(axes.yaxis)
    rest = len(languages) - len(shown) + left_out
    note = f"; {rest} more languages are in metrics.json or have too few messages" if rest else ""
    figure.supxlabel(f"share of ham blocked (shaded: less than one message); dashed: all{note}", fontsize=9.5)
    figure.supylabel("share of bad blocked", fontsize=10)
    figure.suptitle(_plain(title), fontsize=12)
    _save(figure, path)


def _drawn(one: Roc) -> tuple[list[float], list[float]]:
    """The curve from the left edge of a logarithmic axis on."""
    return [max(value, CUT_OFF / 2) for value in one.ham_blocked], list(one.bad_blocked)


def _panels(count: int, height: float) -> tuple[Any, list[Any]]:
    """A figure with `count` axes, at most COLUMNS side by side."""
    columns = 2 if count == 4 else min(count, COLUMNS)
    rows = -(-count // columns)
    size = (max(5.2, 3.5 * columns + 0.5), height * rows + 0.9)
    figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    panels = list(grid.flat)
    for axes in panels:
        axes.grid(color="#e6eaee", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[count:]:
        axes.remove()
    return figure, panels[:count]


def _percent(axis: Any) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))


def _plain(name: str) -> str:
    """A dollar sign begins no formula."""
    return name.replace("$", r"\$")


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)
