"""The training loop: soft targets, length-sorted batches, and a running average of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from sluice.training.amp import autocast, make_scaler
from sluice.training.optimizer import Rates, make_optimizer, set_share
from sluice.training.parts import Weights, put, trainable
from sluice.training.watcher import Step

Ids = list[int]
EpochSource = Callable[[int, np.random.Generator], tuple[list[Ids], np.ndarray]]
"""Epoch number and generator in; token ids of each message and targets, float32 (messages, labels), out."""
EpochEnd = Callable[[int, float, Weights], bool]
"""Epoch number, its mean loss and the averaged weights in; whether to go on, out."""

PLACE = ("epoch", "done", "step", "loss", "over")
"""How far a run is."""


@dataclass(frozen=True)
class FitOptions:
    """How long and how hard to train."""

    epochs: int = 10
    batch: int = 32
    """Messages a step."""
    learning_rate: float = 1e-3
    """Of the highest layer, at the top of a linear warm-up followed by half a cosine down to 0."""
    layer_decay: float = 1.0
    """The rate of each layer, as a share of that of the layer above it."""
    head_rate: float | None = None
    """Of the pooler and the classifier; None: as the highest layer."""
    freeze: int | None = None
    """0: the word embeddings learn nothing; N: all below the layer above the N lowest, too. None: all learns."""
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
    patience: int | None = None
    """Epochs in a row that may be no better than the best before training ends; None: all are run."""
    amp: str = "off"
    """ "off", "bf16" or "fp16": the precision of the forward pass."""

    @property
    def rates(self) -> Rates:
        """How fast each part learns."""
        return Rates(self.learning_rate, self.layer_decay, self.head_rate, self.weight_decay)


class Run:
    """One training run: all that changes while it goes on."""

    def __init__(self, model: Any, options: FitOptions, seed: int, pad_id: int, mask_id: int) -> None:
        self.model = model
        self.options = options
        self.pad_id = pad_id
        self.mask_id = mask_id
        self.rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        self.device = next(model.parameters()).device
        self.average = Average(model, options.average)
        self.optimizer = make_optimizer(model, options.rates)
        self.scaler = make_scaler(options.amp)
        self.epoch = 0
        self.done = 0
        """Steps of this epoch."""
        self.step = 0
        """Steps of the run."""
        self.loss = 0.0
        """Summed over the steps of this epoch."""
        self.over = False
        self.began = self.chance()

    def chance(self) -> dict[str, Any]:
        """The states of all generators of random numbers."""
        cuda = torch.cuda.get_rng_state_all() if self.device.type == "cuda" else []
        return {"numpy": self.rng.bit_generator.state, "torch": torch.get_rng_state(), "cuda": cuda}

    def set_chance(self, states: Mapping[str, Any]) -> None:
        """Puts the generators into the states that `chance` gave."""
        self.rng.bit_generator.state = states["numpy"]
        torch.set_rng_state(states["torch"])
        if states["cuda"]:
            torch.cuda.set_rng_state_all(states["cuda"])

    def state(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on, as tensors and plain values."""
        return {
            "weights": trainable(self.model),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": {"steps": self.average.steps, "weights": self.average.state},
            "place": {name: getattr(self, name) for name in PLACE},
            "began": self.began,
            "chance": self.chance(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Goes on where `state` was taken."""
        put(self.model, state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.average.load(state["average"]["steps"], state["average"]["weights"])
        for name, value in state["place"].items():
            setattr(self, name, value)
        self.began = state["began"]
        self.set_chance(state["chance"])

    def next_epoch(self, goes_on: bool) -> None:
        """An epoch is done and judged; the run is over when it was the last one, or unless it `goes_on`."""
        self.epoch, self.done, self.loss = self.epoch + 1, 0, 0.0
        self.over = not goes_on or self.epoch == self.options.epochs
        self.began = self.chance()

    def learn(self, batch: list[Ids], targets: np.ndarray, share: float) -> float:
        """One step at `share` of the top rates; returns the loss."""
        set_share(self.optimizer, share)
        loss = self._loss(corrupt(batch, self.options, self.mask_id, self.rng), targets)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(trained(self.optimizer), self.options.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update(self.model)
        value = loss.item()
        self.step, self.done, self.loss = self.step + 1, self.done + 1, self.loss + value
        return value

    def _loss(self, batch: list[Ids], targets: np.ndarray) -> torch.Tensor:
        ids, mask = pad(batch, self.pad_id)
        wanted = torch.from_numpy(targets).to(self.device)
        smooth = self.options.label_smoothing
        wanted = wanted * (1 - smooth) + smooth / wanted.shape[1]
        with autocast(self.options.amp, self.device):
            logits = self.model(input_ids=ids.to(self.device), attention_mask=mask.to(self.device)).logits
        return -(wanted * torch.log_softmax(logits.float(), dim=-1)).sum(dim=-1).mean()


def fit(
    run: Run,
    source: EpochSource,
    epoch_end: EpochEnd | None = None,
    report: Callable[[Step], None] | None = None,
    between: Callable[[bool], None] | None = None,
) -> Weights:
    """Trains `run.model` in place, from where the run is, and returns the averaged weights of what learns.

    `epoch_end` gets them after each epoch, and ends the run by returning False. `between` is called after each step,
    and with True after each epoch; it may raise to end the run. The same arguments give the same weights on the same
    machine and number of threads, whether at once or in parts.
    """
    while not run.over:
        _epoch(run, source, report, between)
        weights = run.average.weights()
        run.next_epoch(epoch_end is None or epoch_end(run.epoch, run.loss / max(1, run.done), weights))
        if between is not None:
            between(True)
    return run.average.weights()


def _epoch(
    run: Run,
    source: EpochSource,
    report: Callable[[Step], None] | None,
    between: Callable[[bool], None] | None,
) -> None:
    """The steps of an epoch that are not done; its texts and batches are drawn as they were at its beginning."""
    now = run.chance() if run.done else None
    run.set_chance(run.began)
    ids, targets = source(run.epoch, run.rng)
    cuts = list(batches([len(row) for row in ids], run.options.batch, run.rng))
    if now is not None:
        run.set_chance(now)
    steps = run.options.epochs * len(cuts)
    run.model.train()
    for rows in cuts[run.done :]:
        share = schedule(run.step / max(1, steps), run.options.warm_up)
        loss = run.learn([ids[row] for row in rows], targets[rows], share)
        if report is not None:
            report(Step(run.epoch, run.step, steps, loss, len(rows)))
        if between is not None:
            between(False)


def trained(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """The parameters of all groups."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


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
    """Exponential moving average of the weights that learn, corrected for its start."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.steps = 0
        self._decay = decay
        self._latest = trainable(model)
        self.state: Weights = {name: value.clone() for name, value in self._latest.items()} if decay else self._latest

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Takes in the weights of one more step; early steps count more, so that the start is forgotten."""
        self.steps += 1
        if not self._decay:
            return
        decay = min(self._decay, self.steps / (self.steps + 10))
        for name, value in trainable(model).items():
            self.state[name].lerp_(value, 1 - decay)

    def load(self, steps: int, weights: Mapping[str, torch.Tensor]) -> None:
        """Goes on from an average of so many steps."""
        self.steps = steps
        for name, value in weights.items():
            self.state[name].copy_(value)

    def weights(self) -> Weights:
        """A copy of the averaged weights."""
        return {name: value.clone() for name, value in self.state.items()}


class Swapped:
    """Puts other weights into a model for as long as the context lasts."""

    def __init__(self, model: nn.Module, weights: Weights) -> None:
        self._model = model
        self._weights = weights
        self._own: Weights = {}

    def __enter__(self) -> None:
        self._own = {name: value.clone() for name, value in trainable(self._model).items()}
        put(self._model, self._weights)

    def __exit__(self, *_: object) -> None:
        put(self._model, self._own)
        self._own = {}


@torch.inference_mode()
def predict(model: nn.Module, ids: Sequence[Ids], pad_id: int, batch: int = 64, amp: str = "off") -> np.ndarray:
    """Probabilities, float32 (messages, labels), in the order given; batches are length-sorted inside."""
    model.eval()
    device = next(model.parameters()).device
    order = np.argsort([len(row) for row in ids], kind="stable")
    parts = []
    for start in range(0, len(order), batch):
        rows, mask = pad([ids[row] for row in order[start : start + batch]], pad_id)
        with autocast(amp, device):
            logits = model(input_ids=rows.to(device), attention_mask=mask.to(device)).logits
        parts.append(torch.softmax(logits.float(), dim=-1).cpu().numpy())
    result = np.empty((len(order), parts[0].shape[1]), dtype=np.float32)
    result[order] = np.concatenate(parts)
    return result
