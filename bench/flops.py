"""Floating-point operations of a BERT's forward, and how many a second this machine can do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

PEAK_REPEATS = 5


@dataclass(frozen=True)
class Shape:
    """What the operations of a BERT depend on."""

    layers: int
    hidden: int

    def flops(self, lengths: Sequence[int]) -> float:
        """Operations of the forwards of such messages, without padding, a multiply and an add counted as two.

        Per token and layer ``24 * hidden²`` in the linear layers and ``4 * hidden * length`` in attention; embeddings
        and the head count as nothing (Kaplan et al. 2020, "Scaling Laws for Neural Language Models",
        arXiv:2001.08361, table 1). A forward that computes the last layer for first positions only does less.
        """
        tokens, pairs = sum(lengths), sum(length * length for length in lengths)
        return self.layers * (24.0 * self.hidden**2 * tokens + 4.0 * self.hidden * pairs)


def shape_of(model: Path) -> Shape:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(str(model), local_files_only=True)
    return Shape(config.num_hidden_layers, config.hidden_size)


def peak_flops(device: torch.device, precision: str) -> float:
    """Operations/s of a large matrix product, the best of some; int8 is held against single precision."""
    names = {"fp16": torch.float16, "bf16": torch.bfloat16}
    dtype = names.get(precision, torch.float32)
    side = 8192 if device.type == "cuda" else 2048
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(PEAK_REPEATS):
        synchronize(device)
        began = time.perf_counter()
        torch.mm(left, right)
        synchronize(device)
        best = min(best, time.perf_counter() - began)
    return 2.0 * side**3 / best


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
