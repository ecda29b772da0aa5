"""Pictures of scores."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib import pyplot as plt

from sluice.training.scores import Scores


def save_confusion(scores: Scores, path: Path, title: str) -> None:
    """Draws the confusion matrix: colour is the share of each true class, the figures are messages and shares."""
    counts = np.array(scores.confusion)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    size = 2.2 + 1.1 * len(scores.labels)
    figure, axes = plt.subplots(figsize=(size + 0.8, size), layout="constrained")
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*counts.shape):
        colour = "white" if shares[row, column] > 0.5 else "#16324f"
        text = f"{counts[row, column]:,}\n{shares[row, column]:.1%}"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=11)
    ticks = range(len(scores.labels))
    axes.set_xticks(ticks, scores.labels)
    axes.set_yticks(ticks, scores.labels, rotation=90, va="center")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"{title}\nmacro-F1 {scores.macro_f1:.3f}, {scores.messages:,} messages", fontsize=11)
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)
