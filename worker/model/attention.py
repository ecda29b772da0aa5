"""Attention over packed batches: the one place that must know where messages begin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sluice.worker.model.layout import Layout

LIKE_LENGTH = 1.25
"""A group's longest message is at most this many times its shortest…"""
LIKE_TOKENS = 4
"""…or this many tokens longer."""


class Attention(Protocol):
    """Attention for one batch. `qkv` is (tokens, 3 * width): queries, keys and values side by side."""

    first: Tensor
    """Integers (messages,): the row of each message's first token."""

    def whole(self, qkv: Tensor, heads: int) -> Tensor:
        """Every token's context, (tokens, width)."""

    def first_only(self, qkv: Tensor, heads: int) -> Tensor:
        """The context of each message's first token, (messages, width)."""


@dataclass(frozen=True)
class Group:
    """Messages of like length, a stretch of the packed matrix."""

    tokens: slice
    """Their rows in the packed matrix."""
    shape: tuple[int, int]
    """Messages and longest length: the padded rectangle."""
    rows: Tensor | None
    """Row of the stretch for every cell of the rectangle, int64 (cells,); None when no cell is padding."""
    cells: Tensor | None
    """Cell of every row of the stretch, int64 (rows,); None when no cell is padding."""
    mask: Tensor | None
    """Which cells are real, bool (messages, 1, 1, longest); None when all are."""


class GroupedAttention:
    """Runs over groups of messages of like length, each copied into a small padded rectangle.

    Args:
        layout: messages shortest first.
    """

    def __init__(self, layout: Layout, device: torch.device) -> None:
        self.first = torch.from_numpy(layout.starts).to(device)
        self._groups = list(make_groups(layout.lengths, layout.starts, device))

    def whole(self, qkv: Tensor, heads: int) -> Tensor:
        parts = []
        for group in self._groups:
            query, key, value = _split(qkv, group, heads)
            context = functional.scaled_dot_product_attention(query, key, value, attn_mask=group.mask)
            flat = context.transpose(1, 2).reshape(-1, qkv.shape[1] // 3)
            parts.append(flat if group.cells is None else flat.index_select(0, group.cells))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def first_only(self, qkv: Tensor, heads: int) -> Tensor:
        parts = []
        for group in self._groups:
            query, key, value = _split(qkv, group, heads)
            context = functional.scaled_dot_product_attention(query[:, :, :1], key, value, attn_mask=group.mask)
            parts.append(context.reshape(-1, qkv.shape[1] // 3))
        return parts[0] if len(parts) == 1 else torch.cat(parts)


def _split(qkv: Tensor, group: Group, heads: int) -> tuple[Tensor, ...]:
    """Queries, keys and values of a group, each (messages, heads, longest, head width)."""
    messages, longest = group.shape
    stretch = qkv[group.tokens]
    cells = stretch if group.rows is None else stretch.index_select(0, group.rows)
    return cells.view(messages, longest, 3, heads, -1).permute(2, 0, 3, 1, 4).unbind(0)


def make_groups(lengths: np.ndarray, starts: np.ndarray, device: torch.device) -> Iterator[Group]:
    """Cuts ascending lengths into groups; `starts` are the messages' first rows in the packed matrix."""
    begin = 0
    while begin < len(lengths):
        limit = max(lengths[begin] * LIKE_LENGTH, lengths[begin] + LIKE_TOKENS)
        end = int(np.searchsorted(lengths, limit, side="right"))
        yield _make_group(lengths[begin:end], starts[begin:end], device)
        begin = end


def _make_group(lengths: np.ndarray, starts: np.ndarray, device: torch.device) -> Group:
    longest = int(lengths[-1])
    first = starts - starts[0]
    total = int(first[-1] + lengths[-1])
    tokens = slice(int(starts[0]), int(starts[0]) + total)
    shape = (len(lengths), longest)
    rows = cells = mask = None
    if lengths[0] != longest:
        column = np.arange(longest)
        real = column < lengths[:, None]
        rows = torch.from_numpy((first[:, None] + np.minimum(column, lengths[:, None] - 1)).ravel()).to(device)
        cells = torch.from_numpy(np.flatnonzero(real)).to(device)
        mask = torch.from_numpy(real).view(shape[0], 1, 1, longest).to(device)
    return Group(tokens, shape, rows, cells, mask)
