"""Attention over packed batches: the one place that must know where messages begin.

A message's arithmetic must be its own, to the bit, whoever its neighbours are. So the rectangle in which it is computed
has a width that follows from its length alone, and the products are plain ones: torch's fused kernel on a CPU divides
its work by the number of messages and threads, and its sums with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sluice.worker.model.layout import Layout, filled

WIDTH_STEP = 8
"""A message is computed in a rectangle as wide as its length rounded up to this."""


class Attention(Protocol):
    """Attention for one batch. `qkv` is (tokens, 3 * width): queries, keys and values side by side."""

    first: Tensor
    """Integers: the row of each message's first token; what may follow is filler."""

    def whole(self, qkv: Tensor, heads: int) -> Tensor:
        """Every token's context, (tokens, width)."""

    def first_only(self, qkv: Tensor, heads: int) -> Tensor:
        """The context of each row of `first`, (rows, width)."""

    def mean(self, hidden: Tensor) -> Tensor:
        """The mean over the tokens of each message that begins at a row of `first`, (rows, width)."""


@dataclass(frozen=True)
class Group:
    """Messages whose lengths round up alike, a stretch of the packed matrix."""

    tokens: slice
    """Their rows in the packed matrix."""
    shape: tuple[int, int]
    """Messages and width: the padded rectangle."""
    rows: Tensor | None
    """Row of the stretch for every cell of the rectangle, int64 (cells,); None when no cell is padding."""
    cells: Tensor | None
    """Cell of every row of the stretch, int64 (rows,); None when no cell is padding."""
    bias: Tensor | None
    """0 for cells that are real and minus infinity for padding, (messages, 1, 1, width); None when all are real."""


class GroupedAttention:
    """Runs over groups of messages whose lengths round up alike, each copied into a small padded rectangle.

    Rows of the packed matrix that belong to no message get a context of zeros.

    Args:
        layout: messages shortest first.
        row_step: `first` gets a multiple of so many rows.
    """

    def __init__(self, layout: Layout, device: torch.device, row_step: int) -> None:
        self.first = torch.from_numpy(filled(layout.starts, row_step)).to(device)
        self._layout = layout
        self._groups = list(make_groups(layout.lengths, layout.starts, device))

    def whole(self, qkv: Tensor, heads: int) -> Tensor:
        result = qkv.new_zeros(len(qkv), qkv.shape[1] // 3)
        for group in self._groups:
            query, key, value = _split(qkv, group, heads)
            flat = _attend(query, key, value, group.bias).transpose(1, 2).reshape(-1, result.shape[1])
            result[group.tokens] = flat if group.cells is None else flat.index_select(0, group.cells)
        return result

    def first_only(self, qkv: Tensor, heads: int) -> Tensor:
        result = qkv.new_zeros(len(self.first), qkv.shape[1] // 3)
        begin = 0
        for group in self._groups:
            query, key, value = _split(qkv, group, heads)
            end = begin + group.shape[0]
            result[begin:end] = _attend(query[:, :, :1], key, value, group.bias).reshape(-1, result.shape[1])
            begin = end
        return result

    def mean(self, hidden: Tensor) -> Tensor:
        starts, tokens = self._layout.starts, len(self._layout.ids)
        borders = np.full(len(self.first) + 1, tokens)
        borders[: len(starts)] = starts
        return means(hidden[:tokens], torch.from_numpy(borders).to(hidden.device))


def means(hidden: Tensor, borders: Tensor) -> Tensor:
    """The mean over each stretch of rows, (stretches, width); zeros for an empty one.

    The library adds a stretch row after row, in float32: a stretch's sum is its own, whatever lies beside it.

    Args:
        borders: integers (stretches + 1,): where each begins, from 0 on, and the number of rows.
    """
    rows = torch.arange(len(hidden), dtype=borders.dtype, device=hidden.device)
    found = functional.embedding_bag(rows, hidden.float(), borders, mode="mean", include_last_offset=True)
    return found.to(hidden.dtype)


def _attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """The context, shaped as `query`: (messages, heads, queries, head width)."""
    scores = torch.matmul(query, key.transpose(-1, -2)).mul_(query.shape[-1] ** -0.5)
    if bias is not None:
        scores += bias
    return torch.matmul(torch.softmax(scores, dim=-1), value)


def _split(qkv: Tensor, group: Group, heads: int) -> tuple[Tensor, ...]:
    """Queries, keys and values of a group, each float32 (messages, heads, width of the rectangle, head width).

    In float32 whatever the model's precision: scores in 16 bits would be off by percents.
    """
    messages, width = group.shape
    stretch = qkv[group.tokens].float()
    cells = stretch if group.rows is None else stretch.index_select(0, group.rows)
    # Laid out anew, or a message alone would lie otherwise in memory, and be multiplied by another kernel.
    return cells.view(messages, width, 3, heads, -1).permute(2, 0, 3, 1, 4).contiguous().unbind(0)


def make_groups(lengths: np.ndarray, starts: np.ndarray, device: torch.device) -> Iterator[Group]:
    """Cuts ascending lengths into groups; `starts` are the messages' first rows in the packed matrix."""
    widths = -(-lengths // WIDTH_STEP) * WIDTH_STEP
    begin = 0
    while begin < len(lengths):
        end = int(np.searchsorted(widths, widths[begin], side="right"))
        yield _make_group(lengths[begin:end], starts[begin:end], int(widths[begin]), device)
        begin = end


def _make_group(lengths: np.ndarray, starts: np.ndarray, width: int, device: torch.device) -> Group:
    first = starts - starts[0]
    total = int(first[-1] + lengths[-1])
    tokens = slice(int(starts[0]), int(starts[0]) + total)
    shape = (len(lengths), width)
    rows = cells = bias = None
    if lengths[0] != width:
        column = np.arange(width)
        real = column < lengths[:, None]
        rows = torch.from_numpy((first[:, None] + np.minimum(column, lengths[:, None] - 1)).ravel()).to(device)
        cells = torch.from_numpy(np.flatnonzero(real)).to(device)
        padding = torch.from_numpy(~real).view(shape[0], 1, 1, width)
        bias = torch.zeros(padding.shape).masked_fill_(padding, -torch.inf).to(device)
    return Group(tokens, shape, rows, cells, bias)
