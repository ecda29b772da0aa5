"""BERT-like classifiers over packed batches: the tokens of all messages lie end to end, padding is never computed.

Only attention needs to know where messages begin (`attention.py`). Where the head reads the first position of each
message alone, the last layer computes no other. So the cost of a batch follows its tokens, whatever the mixture of
lengths; and one plain function costs less Python than the library's tree of modules.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice.worker.model.attention import Attention, GroupedAttention
from sluice.worker.model.base import ModelInfo
from sluice.worker.model.blueprint import Blueprint, Layer
from sluice.worker.model.encoder import TextEncoder
from sluice.worker.model.int8 import Int8Linear
from sluice.worker.model.layout import filled, lay_out
from sluice.worker.model.steady import row_step
from sluice.worker.model.torch_classifier import TorchClassifier


class PackedModel(nn.Module):
    """The weights of a blueprint, run over packed batches.

    Args:
        int8: the layers' matrices in eight bits; the head and the embeddings stay as they are.

    Attributes:
        row_step: its matrices get a multiple of so many rows (`steady.py`).
    """

    def __init__(self, blueprint: Blueprint, *, int8: bool = False) -> None:
        super().__init__()
        self.pad_id = blueprint.pad_id
        self.words = _fixed(blueprint.words)
        segment = 0 if blueprint.segment is None else blueprint.segment.detach()
        self.position_table = _fixed(blueprint.positions + segment)
        self.embedded_norm = blueprint.embedded_norm
        self.layers = nn.ModuleList(_Layer(layer, blueprint, int8) for layer in blueprint.layers)
        self.pooler = blueprint.pooler
        self.pooled = blueprint.pooled
        self.classifier = blueprint.classifier
        self.mean = blueprint.mean
        self.row_step = 1

    def forward(self, ids: Tensor, positions: Tensor, attention: Attention) -> Tensor:
        """Logits, (rows of `attention.first`, labels). `ids` and `positions` are int64 (tokens,)."""
        hidden = functional.embedding(ids, self.words) + functional.embedding(positions, self.position_table)
        hidden = self.embedded_norm(hidden)
        for number, layer in enumerate(self.layers, start=1):
            hidden = layer(hidden, attention, first_only=number == len(self.layers) and not self.mean)
        if self.mean:
            hidden = attention.mean(hidden)
        logits: Tensor = self.classifier(self.pooled(self.pooler(hidden)))
        return logits


class _Layer(nn.Module):
    """One encoder layer, its three input projections fused into one."""

    def __init__(self, layer: Layer, blueprint: Blueprint, int8: bool) -> None:
        super().__init__()
        self.heads = blueprint.heads
        self.activation = blueprint.activation
        inputs = (layer.query, layer.key, layer.value)
        weight = torch.cat([part.weight.detach() for part in inputs])
        self.qkv = _linear(weight, torch.cat([part.bias.detach() for part in inputs]), int8)
        self.attended, self.wide, self.narrow = (
            _linear(part.weight, part.bias, int8) for part in (layer.attended, layer.wide, layer.narrow)
        )
        self.attended_norm = layer.attended_norm
        self.norm = layer.norm

    def forward(self, hidden: Tensor, attention: Attention, first_only: bool) -> Tensor:
        """(tokens, width) in and out; with `first_only`, (rows of `attention.first`, width) out."""
        qkv = self.qkv(hidden)
        context = attention.first_only(qkv, self.heads) if first_only else attention.whole(qkv, self.heads)
        if first_only:
            hidden = hidden.index_select(0, attention.first)
        hidden = self.attended_norm(self.attended(context) + hidden)
        result: Tensor = self.norm(self.narrow(self.activation(self.wide(hidden))) + hidden)
        return result


def _linear(weight: Tensor, bias: Tensor, int8: bool) -> nn.Module:
    if int8:
        return Int8Linear(weight, bias)
    linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    linear.weight, linear.bias = _fixed(weight), _fixed(bias)
    return linear


def _fixed(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight.detach(), requires_grad=False)


class PackedClassifier(TorchClassifier):
    """Runs a `PackedModel`. Batches cost their tokens, so they need no sorting by length."""

    padded = False
    _model: PackedModel

    def __init__(
        self,
        model: PackedModel,
        encoder: TextEncoder,
        labels: Sequence[str],
        info: ModelInfo,
        device: torch.device,
        precision: str,
    ) -> None:
        super().__init__(model, encoder, labels, info, device, precision)
        if self._device.type == "cpu":
            self._model.row_step = row_step(self._model)

    def logits(self, batch: Sequence[list[int]]) -> Tensor:
        """Logits, (messages, labels)."""
        return packed_logits(self._model, batch, self._device)


def packed_logits(model: PackedModel, batch: Sequence[list[int]], device: torch.device) -> Tensor:
    """Logits, (messages, labels), in the order of the batch.

    On a CPU each message's bits are its own: the same alone, in any batch and at any place in it.
    """
    layout = lay_out(batch, model.pad_id, by_length=True)
    assert layout.order is not None
    arrays = (filled(array, model.row_step) for array in (layout.ids, layout.positions))
    ids, positions = (torch.from_numpy(array).to(device) for array in arrays)
    logits: Tensor = model(ids, positions, GroupedAttention(layout, device, model.row_step))
    back = np.empty_like(layout.order)
    back[layout.order] = np.arange(len(back))
    return logits[torch.from_numpy(back).to(device)]
