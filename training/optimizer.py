"""Which parameters learn how fast: weight decay, rates by layer, and a rate of the head's own.

Layer-wise rates: Howard and Ruder (2018), "Universal Language Model Fine-tuning", arXiv:1801.06146.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from sluice.training.parts import height, is_head, layers


@dataclass(frozen=True)
class Rates:
    """How fast the parts of a model learn, at the top of the schedule."""

    top: float = 1e-3
    """Of the highest layer."""
    layer_decay: float = 1.0
    """The rate of each layer, as a share of that of the layer above it."""
    head: float | None = None
    """Of the pooler and the classifier; None: as the highest layer."""
    weight_decay: float = 0.01
    """Of matrices; biases, norms and other vectors have none."""

    def of(self, name: str, model: Any) -> float:
        """The top rate of the parameter `name`."""
        if is_head(name, model):
            return self.top if self.head is None else self.head
        if self.layer_decay == 1:
            return self.top
        return self.top * self.layer_decay ** (len(layers(model)) - height(name, model))


def make_optimizer(model: Any, rates: Rates) -> torch.optim.Optimizer:
    """AdamW over what learns; each group's "top" is its rate at the top of the schedule."""
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = rates.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rates.of(name, model), decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "top": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        fused=True,
    )


def set_share(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Sets every group's rate to `share`, 0 to 1, of its top."""
    for group in optimizer.param_groups:
        group["lr"] = group["top"] * share
