"""Attention by message on CUDA, without any padding: one kernel that is told where sequences begin."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from sluice.worker.model.attention import means

Attend = Callable[..., Tensor]
"""Queries, keys, values, and the borders and longest sequences of both, to contexts shaped as the queries."""
HALF = (torch.float16, torch.bfloat16)
LEAST_CAPABILITY = (8, 0)
"""Of the CUDA devices that have the kernel."""


def supported(device: torch.device, dtype: torch.dtype, head_width: int) -> bool:
    """Whether the kernel takes these."""
    if device.type != "cuda" or dtype not in HALF or head_width % 8 or head_width > 256:
        return False
    return torch.cuda.get_device_capability(device) >= LEAST_CAPABILITY


def kernel() -> Attend:
    """Torch's variable-length attention. It logs a line a call at level info, which is once a layer and batch."""
    from torch.nn.attention.varlen import varlen_attn

    logging.getLogger("torch.nn.attention.varlen").setLevel(logging.WARNING)
    return cast(Attend, varlen_attn)  # a tensor alone, unless more is asked for


class VarlenAttention:
    """Attention over sequences that lie end to end.

    Args:
        borders: int32 (sequences + 1,): where each begins, and where the last ends.
        first: int32 (messages,): the first rows of the sequences that are messages; these come first.
        longest: bound of a sequence's tokens.
        attend: `torch.nn.attention.varlen.varlen_attn`, or what stands in for it.
    """

    def __init__(self, borders: Tensor, first: Tensor, longest: int, attend: Attend) -> None:
        self.first = first
        self._borders, self._longest, self._attend = borders, longest, attend
        self._one_each = torch.arange(len(first) + 1, dtype=torch.int32, device=first.device)

    def whole(self, qkv: Tensor, heads: int) -> Tensor:
        query, key, value = qkv.view(len(qkv), 3, heads, -1).unbind(1)
        context = self._attend(query, key, value, self._borders, self._borders, self._longest, self._longest)
        return context.reshape(len(qkv), -1)

    def first_only(self, qkv: Tensor, heads: int) -> Tensor:
        query, key, value = qkv.view(len(qkv), 3, heads, -1).unbind(1)
        messages = len(self.first)
        borders = self._borders[: messages + 1]
        query = query.index_select(0, self.first)
        context = self._attend(query, key, value, self._one_each, borders, 1, self._longest)
        return context.reshape(messages, -1)

    def mean(self, hidden: Tensor) -> Tensor:
        return means(hidden, self._borders)[: len(self.first)]
