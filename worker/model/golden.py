"""Whether a cheaper precision answers as the full one does, on messages that are kept for this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

GOLDEN_FILE = Path(__file__).with_name("golden.txt")
BATCH = 64


@dataclass(frozen=True)
class Agreement:
    """How two sets of answers to the same messages compare."""

    labels: float
    """Share of messages with the same most likely label, 0 to 1."""
    difference: float
    """The largest difference of any probability."""


def golden_texts() -> list[str]:
    """Short messages in many languages and scripts, one a line: plain ones, spam, and phishing."""
    lines = GOLDEN_FILE.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def answers(logits: Callable[[Sequence[list[int]]], Tensor], messages: Sequence[list[int]]) -> Tensor:
    """Probabilities, float32 (messages, labels), computed in batches."""
    parts = [logits(messages[row : row + BATCH]) for row in range(0, len(messages), BATCH)]
    return torch.softmax(torch.cat(parts).float(), dim=-1)


def compare(expected: Tensor, found: Tensor) -> Agreement:
    """Both are probabilities, (messages, labels)."""
    same = expected.argmax(dim=-1) == found.argmax(dim=-1)
    return Agreement(same.float().mean().item(), (expected - found).abs().max().item())
