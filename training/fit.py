"""The training loop: soft targets, length-sorted batches, and a running average of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

Ids = list[int]
EpochSource = Callable[[int, np.random.Generator], tuple[list[Ids], np.ndarray]]
"""Epoch number and generator in; token ids of each message and targets, float32 (messages, labels), out."""


@dataclass(frozen=True)
class FitOptions:
    """How long and how hard to train."""

    epochs: int = 10
    batch: int = 32
    """Messages a step."""
    learning_rate: float = 1e-3
    """At the top of a linear warm-up followed by half a cosine down to 0."""
    warm_up: float = 0.06
    """Share of all steps."""
    weight_decay: float = 0.01
    label_smoothing: float = 0.0
    token_dropout: float = 0.0
    """Share of tokens replaced by `mask_id`."""
    average: float = 0.999
    """Decay per step of the running average of the weights; 0 keeps the last weights."""
    max_length: int = 96
    """Tokens a message."""
    clip: float = 1.0
    """Largest norm of a step's gradient."""


@dataclass
class Progress:
    """What a training run reports after a step."""

    epoch: int
    step: int
    steps: int
    loss: float


def fit(
    model: nn.Module,
    source: EpochSource,
    options: FitOptions,
    seed: int,
    pad_id: int,
    mask_id: int,
    report: Callable[[Progress], None] | None = None,
    epoch_end: Callable[[int, dict[str, torch.Tensor]], None] | None = None,
) -> dict[str, torch.Tensor]:
    """Trains `model` in place and returns its averaged weights.

    `epoch_end` gets the averaged weights after each epoch. The same arguments give the same weights
    on the same machine and number of threads.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    device = next(model.parameters()).device
    average = Average(model, options.average)
    optimizer: torch.optim.Optimizer | None = None
    step = steps = 0
    for epoch in range(options.epochs):
        ids, targets = source(epoch, rng)
        if optimizer is None:
            steps = options.epochs * math.ceil(len(ids) / options.batch)
            optimizer = torch.optim.AdamW(_groups(model, options.weight_decay), lr=options.learning_rate, fused=True)
        model.train()
        for rows in batches([len(row) for row in ids], options.batch, rng):
            for group in optimizer.param_groups:
                group["lr"] = options.learning_rate * schedule(step / max(1, steps), options.warm_up)
            batch = corrupt([ids[row] for row in rows], options, mask_id, rng)
            loss = _step(model, optimizer, batch, targets[rows], options, pad_id, device)
            average.update(model)
            step += 1
            if report is not None:
                report(Progress(epoch, step, steps, loss))
        if epoch_end is not None:
            epoch_end(epoch, average.weights())
    return average.weights()


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: list[Ids],
    targets: np.ndarray,
    options: FitOptions,
    pad_id: int,
    device: torch.device,
) -> float:
    ids, mask = pad(batch, pad_id)
    wanted = torch.from_numpy(targets).to(device)
    smooth = options.label_smoothing
    wanted = wanted * (1 - smooth) + smooth / wanted.shape[1]
    logits = model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
    loss = -(wanted * torch.log_softmax(logits.float(), dim=-1)).sum(dim=-1).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), options.clip)
    optimizer.step()
    return loss.item()


def pad(batch: Sequence[Ids], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask, int64 shaped (messages, longest)."""
    longest = max(len(row) for row in batch)
    ids = np.full((len(batch), longest), pad_id, dtype=np.int64)
    mask = np.zeros((len(batch), longest), dtype=np.int64)
    for number, row in enumerate(batch):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def schedule(done: float, warm_up: float) -> float:
    """The share of the top learning rate at `done`, 0 to 1, of the run."""
    if done < warm_up:
        return (done + 1e-4) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (done - warm_up) / max(1e-9, 1 - warm_up)))


def batches(lengths: Sequence[int], size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Row numbers of batches of about equal length, in random order, each row once."""
    noisy = np.asarray(lengths) + rng.uniform(0, 4, len(lengths))
    order = np.argsort(noisy, kind="stable")
    cuts = [order[start : start + size] for start in range(0, len(order), size)]
    for number in rng.permutation(len(cuts)):
        yield cuts[number]


def corrupt(batch: list[Ids], options: FitOptions, mask_id: int, rng: np.random.Generator) -> list[Ids]:
    """Replaces a share of the tokens by the mask, never the first or the last."""
    if not options.token_dropout:
        return batch
    result = []
    for row in batch:
        hit = rng.random(len(row)) < options.token_dropout
        hit[0] = hit[-1] = False
        result.append([mask_id if masked else token for token, masked in zip(row, hit, strict=True)])
    return result


class Average:
    """Exponential moving average of a model's weights, corrected for its start."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._steps = 0
        self._state = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Takes in the weights of one more step; early steps count more, so that the start is forgotten."""
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 10))
        for name, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                self._state[name].lerp_(value, 1 - decay)

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the averaged weights."""
        return {name: value.clone() for name, value in self._state.items()}


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Biases, layer norms and other vectors are not decayed."""
    matrices = [value for value in model.parameters() if value.ndim > 1]
    vectors = [value for value in model.parameters() if value.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


@torch.inference_mode()
def predict(model: nn.Module, ids: Sequence[Ids], pad_id: int, batch: int = 64) -> np.ndarray:
    """Probabilities, float32 (messages, labels), in the order given; batches are length-sorted inside."""
    model.eval()
    device = next(model.parameters()).device
    order = np.argsort([len(row) for row in ids], kind="stable")
    parts = []
    for start in range(0, len(order), batch):
        rows, mask = pad([ids[row] for row in order[start : start + batch]], pad_id)
        logits = model(input_ids=rows.to(device), attention_mask=mask.to(device)).logits
        parts.append(torch.softmax(logits.float(), dim=-1).cpu().numpy())
    result = np.empty((len(order), parts[0].shape[1]), dtype=np.float32)
    result[order] = np.concatenate(parts)
    return result
