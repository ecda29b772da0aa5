"""The few sizes to which batches are rounded up, so that a recorded forward can be replayed for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from sluice.worker.model.layout import Layout

TOKEN_STEP = 64
"""Tokens of the smallest bucket, and what all are multiples of: matrix units work in such blocks."""
GROWTH = 1.25
"""From one bucket to the next: about a fifth of the tokens computed are filling at most."""
MOST_TOKENS = 16_384
"""Of a recorded forward. The device works so long on more that launching its kernels one by one costs nothing."""
TOKENS_A_MESSAGE = 8
"""Batches with fewer are rare, and take a larger bucket."""


@dataclass(frozen=True)
class Bucket:
    """The size of a forward. Its inputs lie in one row of numbers, so that one copy brings them to the device."""

    tokens: int
    messages: int
    fillers: int
    """Sequences behind the messages, between which the tokens that fill the bucket up are divided."""

    @property
    def parts(self) -> tuple[int, int, int, int]:
        """How many numbers are ids, positions, borders of the sequences, first rows of the messages."""
        return self.tokens, self.tokens, self.messages + self.fillers + 1, self.messages

    def write(self, layout: Layout, longest: int, target: np.ndarray) -> None:
        """Writes a batch that fits, and what fills it up, to the beginning of `target`, int32.

        Args:
            longest: no sequence gets more tokens than this.
        """
        ids, positions, borders, first = np.split(target[: sum(self.parts)], np.cumsum(self.parts)[:-1])
        tokens, messages = len(layout.ids), len(layout.starts)
        ids[:tokens], ids[tokens:] = layout.ids, 0
        positions[:tokens], positions[tokens:] = layout.positions, 0
        borders[:messages] = layout.starts
        fillers = len(borders) - messages
        borders[messages:] = np.minimum(tokens + longest * np.arange(fillers), self.tokens)
        first[:] = np.minimum(borders[: self.messages], self.tokens - 1)

    def read(self, source: Tensor) -> tuple[Tensor, ...]:
        """Ids, positions, borders and first rows: views of the beginning of `source`."""
        return source[: sum(self.parts)].split(list(self.parts))


def ladder(most_messages: int, longest: int) -> list[Bucket]:
    """Buckets for batches of up to `most_messages` of up to `longest` tokens each, ascending."""
    limit = min(_round_up(most_messages * longest), MOST_TOKENS)
    buckets, tokens = [], TOKEN_STEP
    while tokens < limit:
        messages = min(most_messages, tokens // TOKENS_A_MESSAGE)
        buckets.append(Bucket(tokens, messages, _fillers(tokens, longest)))
        tokens = max(tokens + TOKEN_STEP, _round_up(int(tokens * GROWTH)))
    return [*buckets, Bucket(limit, most_messages, _fillers(limit, longest))]


def choose(buckets: Sequence[Bucket], tokens: int, messages: int) -> Bucket | None:
    """The smallest of ascending buckets that holds so much, or None."""
    return next((bucket for bucket in buckets if bucket.tokens >= tokens and bucket.messages >= messages), None)


def exact(tokens: int, messages: int) -> Bucket:
    """A bucket without filling."""
    return Bucket(tokens, messages, 0)


def _fillers(tokens: int, longest: int) -> int:
    return -(-tokens // longest)


def _round_up(tokens: int) -> int:
    return -(-tokens // TOKEN_STEP) * TOKEN_STEP
