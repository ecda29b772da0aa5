"""How much of the texts the model's tokenizer does not know."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from sluice.backfill.report.daily import Daily
from sluice.backfill.report.times import NEVER

#: Of each text its pieces (tokens that stand for a part of it), and how many of them are unknown.
CountPieces = Callable[[Sequence[str]], Sequence[tuple[int, int]]]
#: Texts that are looked at: of more rows every second one is, or every third, …
MOST_TEXTS = 200_000


class Pieces:
    """Counts unknown pieces by day.

    Args:
        count: the tokenizer of the model that answered.
        rows: rows that will come, about.

    Attributes:
        every: every so many-th row is looked at.
        share: the share of a text's pieces that are unknown.
    """

    def __init__(self, count: CountPieces, rows: int) -> None:
        self._count = count
        self.every = max(1, -(-rows // MOST_TEXTS))
        self.share = Daily()

    def add(self, row: np.ndarray, seconds: np.ndarray, text: pa.Array) -> None:
        """Look at the rows of a batch: numbers from 1 on, seconds since 1970 or NEVER, ``large_string``."""
        chosen = np.flatnonzero((row % self.every == 0) & (seconds != NEVER))
        if not len(chosen):
            return
        texts = [one or "" for one in text.take(pa.array(chosen)).to_pylist()]
        pieces, unknown = np.array(self._count(texts), np.int64).reshape(-1, 2).T
        self.share.add(seconds[chosen], unknown / np.maximum(pieces, 1))
