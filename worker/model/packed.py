"""BERT over packed batches: the tokens of all messages lie end to end, and padding is never computed.

Only attention needs to know where messages begin. It runs over groups of messages of like length, each
copied into a small padded rectangle. The last layer computes the first position of each message alone,
which is all that the classification head reads. So the cost of a batch follows its tokens, whatever the
mixture of lengths; and one plain function costs less Python than the library's tree of modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from worker.model.torch_classifier import TorchClassifier

LIKE_LENGTH = 1.25
"""A group's longest message is at most this many times its shortest…"""
LIKE_TOKENS = 4
"""…or this many tokens longer."""


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


def packable(model: nn.Module) -> bool:
    """Whether `PackedBert` computes the same as `model`."""
    from transformers import BertForSequenceClassification

    if type(model) is not BertForSequenceClassification:
        return False
    absolute = getattr(model.config, "position_embedding_type", "absolute") in (None, "absolute")
    return absolute and not getattr(model.config, "is_decoder", False)


class PackedBert(nn.Module):
    """The weights of a `BertForSequenceClassification`, run over packed batches."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        from transformers.activations import ACT2FN

        self.embeddings = model.bert.embeddings
        self.layers = nn.ModuleList(_Layer(layer, model.config) for layer in model.bert.encoder.layer)
        self.pooler = model.bert.pooler.dense
        self.classifier = model.classifier
        self.activation = ACT2FN[model.config.hidden_act]

    def forward(self, batch: Sequence[list[int]]) -> Tensor:
        """Logits, (messages, labels), in the order of the batch."""
        device = self.classifier.weight.device
        lengths = np.fromiter((len(ids) for ids in batch), dtype=np.int64, count=len(batch))
        order = np.argsort(lengths, kind="stable")
        lengths = lengths[order]
        ids = np.concatenate([np.asarray(batch[row], dtype=np.int64) for row in order])
        starts = np.cumsum(lengths) - lengths
        positions = np.arange(len(ids)) - np.repeat(starts, lengths)
        groups = list(make_groups(lengths, starts, device))
        hidden = self._embed(torch.from_numpy(ids).to(device), torch.from_numpy(positions).to(device))
        for number, layer in enumerate(self.layers):
            last = number + 1 == len(self.layers)
            hidden = layer(hidden, groups, self.activation, torch.from_numpy(starts).to(device) if last else None)
        logits = self.classifier(torch.tanh(self.pooler(hidden)))
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return logits[torch.from_numpy(back).to(device)]

    def _embed(self, ids: Tensor, positions: Tensor) -> Tensor:
        table = self.embeddings
        hidden = functional.embedding(ids, table.word_embeddings.weight)
        hidden = hidden + functional.embedding(positions, table.position_embeddings.weight)
        hidden = hidden + table.token_type_embeddings.weight[0]
        normed: Tensor = table.LayerNorm(hidden)
        return normed


class _Layer(nn.Module):
    """One encoder layer, its three input projections fused into one."""

    def __init__(self, layer: Any, config: Any) -> None:
        super().__init__()
        attention = layer.attention.self
        parts = (attention.query, attention.key, attention.value)
        self.heads = config.num_attention_heads
        self.qkv_weight = nn.Parameter(torch.cat([part.weight.detach() for part in parts]), requires_grad=False)
        self.qkv_bias = nn.Parameter(torch.cat([part.bias.detach() for part in parts]), requires_grad=False)
        self.attended = layer.attention.output.dense
        self.attended_norm = layer.attention.output.LayerNorm
        self.wide = layer.intermediate.dense
        self.narrow = layer.output.dense
        self.norm = layer.output.LayerNorm

    def forward(self, hidden: Tensor, groups: Sequence[Group], activation: Any, first: Tensor | None) -> Tensor:
        """`hidden` is (tokens, width); with `first`, rows of first tokens, only those come out."""
        qkv = functional.linear(hidden, self.qkv_weight, self.qkv_bias)
        parts = [self._attend(qkv[group.tokens], group, first is not None) for group in groups]
        context = parts[0] if len(parts) == 1 else torch.cat(parts)
        if first is not None:
            hidden = hidden[first]
        hidden = self.attended_norm(self.attended(context) + hidden)
        result: Tensor = self.norm(self.narrow(activation(self.wide(hidden))) + hidden)
        return result

    def _attend(self, qkv: Tensor, group: Group, first_only: bool) -> Tensor:
        """(rows, 3 * width) in; (rows, width) out, or (messages, width) with `first_only`."""
        messages, longest = group.shape
        width = qkv.shape[1] // 3
        cells = qkv if group.rows is None else qkv.index_select(0, group.rows)
        split = cells.view(messages, longest, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query = split[0, :, :, :1] if first_only else split[0]
        context = functional.scaled_dot_product_attention(query, split[1], split[2], attn_mask=group.mask)
        flat = context.transpose(1, 2).reshape(-1, width)
        return flat if first_only or group.cells is None else flat.index_select(0, group.cells)


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


class PackedClassifier(TorchClassifier):
    """Runs `PackedBert`. Batches cost their tokens, so they need no sorting by length."""

    padded = False

    def logits(self, batch: Sequence[list[int]]) -> Tensor:
        """Logits, (messages, labels)."""
        result: Tensor = self._model(batch)
        return result
