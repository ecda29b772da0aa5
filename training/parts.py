"""The parts of an encoder with a classification head, whatever its architecture calls them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from sluice.tasks.errors import ModelUnavailable

Weights = dict[str, torch.Tensor]
"""Values by the parameters' names."""


def layers(model: Any) -> nn.ModuleList:
    """The encoder's layers, lowest first.

    Raises ModelUnavailable for an architecture that has no list of them, such as one that shares a layer's weights.
    """
    wanted = int(getattr(model.config, "num_hidden_layers", 0))
    for module in model.base_model.modules():
        if isinstance(module, nn.ModuleList) and wanted and len(module) == wanted:
            return module
    raise ModelUnavailable(
        f"{type(model).__name__} has no list of layers, so they can be neither dropped nor frozen nor given rates of "
        "their own: leave out --keep-layers, --freeze and --layer-decay, or give --base another encoder."
    )


def keep_layers(model: Any, count: int) -> None:
    """Drops all but the `count` lowest layers.

    Raises ModelUnavailable when there are fewer.
    """
    stack = layers(model)
    if count > len(stack):
        raise ModelUnavailable(f"The base model has {len(stack)} layers: set --keep-layers to at most that.")
    del stack[count:]
    model.config.num_hidden_layers = count
    kinds = getattr(model.config, "layer_types", None)
    if kinds:
        model.config.layer_types = kinds[:count]


def freeze(model: Any, count: int | None) -> None:
    """Takes the gradient from the word embeddings (0) and, above 0, from everything below the layer of that number.

    None lets everything learn. Raises ModelUnavailable when there are not that many layers.
    """
    if count is None:
        return
    model.get_input_embeddings().requires_grad_(False)
    if count == 0:
        return
    stack = layers(model)
    if count > len(stack):
        raise ModelUnavailable(f"The model has {len(stack)} layers: set --freeze to at most that, or to none.")
    for name, parameter in model.named_parameters():
        if height(name, model) <= count:
            parameter.requires_grad_(False)


def height(name: str, model: Any) -> int:
    """0 for a parameter of the embeddings, 1 for one of the lowest layer, one more for each layer, then the head."""
    stack = layers(model)
    prefix = next(path for path, module in model.named_modules() if module is stack)
    if name.startswith(f"{prefix}."):
        return 1 + int(name[len(prefix) + 1 :].partition(".")[0])
    return len(stack) + 1 if is_head(name, model) else 0


def is_head(name: str, model: Any) -> bool:
    """Whether a parameter is of the classifier or the pooler, rather than of the encoder."""
    return not name.startswith(f"{model.base_model_prefix}.") or ".pooler." in name


def trainable(model: nn.Module) -> Weights:
    """The parameters that learn, themselves and not copies."""
    return {name: value.detach() for name, value in model.named_parameters() if value.requires_grad}


@torch.no_grad()
def put(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Copies `weights` into the parameters of those names; the others stay as they are."""
    parameters = dict(model.named_parameters())
    for name, value in weights.items():
        parameters[name].copy_(value)
