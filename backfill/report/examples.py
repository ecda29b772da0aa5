"""A few texts of each label: those that the model is surest of, and those it is least sure of."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

#: Texts at either end.
COUNT = 5
#: Rows of a batch that are looked at for texts which differ.
LOOK = 200
#: Characters of a text that are kept.
KEEP_CHARS = 400

Example = tuple[float, str]


class Examples:
    """``surest[label]`` and ``least[label]`` are ``(probability, text)``, best first, no text twice."""

    def __init__(self) -> None:
        self.surest: dict[int, list[Example]] = {}
        self.least: dict[int, list[Example]] = {}

    def add(self, texts: pa.Array, labels: np.ndarray, probabilities: np.ndarray) -> None:
        """Look at a batch; a label below 0 is none. Of equal probabilities the first row is taken."""
        for label in np.unique(labels[labels >= 0]).tolist():
            rows = np.flatnonzero(labels == label)
            order = rows[np.argsort(probabilities[rows], kind="stable")]
            upwards = order[:LOOK]
            downwards = rows[np.argsort(-probabilities[rows], kind="stable")][:LOOK]
            self.least[label] = _best(self.least.get(label, []), texts, probabilities, upwards, 1)
            self.surest[label] = _best(self.surest.get(label, []), texts, probabilities, downwards, -1)


def _best(
    kept: list[Example], texts: pa.Array, probabilities: np.ndarray, rows: np.ndarray, sign: int
) -> list[Example]:
    """The COUNT first of ``kept`` and of ``rows``, which are in order, by ``sign * probability``."""
    found: list[Example] = []
    known = {text for _, text in kept}
    for row in rows.tolist():
        probability = float(probabilities[row])
        if len(found) == COUNT or (len(kept) == COUNT and sign * probability >= sign * kept[-1][0]):
            break
        text = (texts[row].as_py() or "")[:KEEP_CHARS]
        if text not in known:
            known.add(text)
            found.append((probability, text))
    return sorted([*kept, *found], key=lambda one: sign * one[0])[:COUNT]
