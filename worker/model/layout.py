"""Where each message of a packed batch lies, computed once a batch, on the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np


@dataclass(frozen=True)
class Layout:
    """The tokens of all messages, end to end."""

    ids: np.ndarray
    """int64 (tokens,)."""
    positions: np.ndarray
    """int64 (tokens,): the row of the position table for each token."""
    starts: np.ndarray
    """int64 (messages,): the row of each message's first token, ascending."""
    lengths: np.ndarray
    """int64 (messages,)."""
    order: np.ndarray | None
    """int64 (messages,): which message of the batch lies at each position; None when they lie as they came."""


def lay_out(batch: Sequence[list[int]], pad_id: int | None = None, *, by_length: bool = False) -> Layout:
    """Packs a batch of at least one message.

    Args:
        pad_id: as `Blueprint.pad_id`: positions then count from `pad_id + 1`.
        by_length: shortest first, so that messages of like length are neighbours.
    """
    lengths = np.fromiter(map(len, batch), dtype=np.int64, count=len(batch))
    order = np.argsort(lengths, kind="stable") if by_length else None
    if order is not None:
        batch, lengths = [batch[row] for row in order], lengths[order]
    total = int(lengths.sum())
    ids = np.fromiter(chain.from_iterable(batch), dtype=np.int64, count=total)
    starts = np.cumsum(lengths) - lengths
    if pad_id is None:
        positions = np.arange(total) - np.repeat(starts, lengths)
    else:
        positions = _positions_past_padding(ids, starts, lengths, pad_id)
    return Layout(ids, positions, starts, lengths, order)


def filled(array: np.ndarray, step: int) -> np.ndarray:
    """Integers, with zeros behind them up to a multiple of `step`."""
    result = np.zeros(-(-len(array) // step) * step, dtype=array.dtype)
    result[: len(array)] = array
    return result


def _positions_past_padding(ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray, pad_id: int) -> np.ndarray:
    """RoBERTa's rule: tokens count from `pad_id + 1`; one that has the padding's id counts nothing and stands at it."""
    real = ids != pad_id
    counted = np.cumsum(real)
    before = counted[starts] - real[starts]
    return np.where(real, counted - np.repeat(before, lengths) + pad_id, pad_id)
