"""How many rows a matrix must have so that each row's product is its own, to the bit."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from sluice.worker.model.int8 import Int8Linear

log = logging.getLogger(__name__)

STEPS = (8, 16, 32, 64)
"""Multiples that are tried, the least first."""
ROWS = 256
"""Rows that stand for a batch."""


def row_step(model: nn.Module) -> int:
    """The least multiple of rows with which every product of `model` gives a row the same bits in a batch of any size.

    Libraries multiply a few rows by other kernels than many, and those add in another order. Which numbers are few
    depends on the processor and the precision, so the products themselves are asked, once for each shape.
    """
    linears = {_shape(module): module for module in model.modules() if isinstance(module, nn.Linear | Int8Linear)}
    for step in STEPS:
        if all(_steady(module, shape[1], step) for shape, module in linears.items()):
            return step
    log.warning("this processor's products depend on their size: the last digits of an answer may vary with its batch")
    return STEPS[-1]


def _shape(linear: nn.Linear | Int8Linear) -> tuple[int, int, torch.dtype | None]:
    """Outputs, inputs and precision; eight bits as None."""
    if isinstance(linear, Int8Linear):
        return (*linear.shape, None)
    return linear.out_features, linear.in_features, linear.weight.dtype


@torch.inference_mode()
def _steady(linear: Callable[[Tensor], Tensor], inputs: int, step: int) -> bool:
    dtype = linear.weight.dtype if isinstance(linear, nn.Linear) else torch.float32
    rows = torch.randn(ROWS, inputs, generator=torch.Generator().manual_seed(1)).to(dtype)
    expected = linear(rows)
    cuts = ((0, step), (step, 4 * step), (ROWS - 2 * step, ROWS))
    return all(torch.equal(linear(rows[begin:end]), expected[begin:end]) for begin, end in cuts)
