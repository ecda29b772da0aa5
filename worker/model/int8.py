"""Linear layers in eight bits, on oneDNN's integer product."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ZERO = 128
"""The unsigned byte that stands for 0. Unsigned inputs are what every x86 generation multiplies fastest."""
STEPS = 127
"""Either side of 0."""
STEPS_WITHOUT_VNNI = 63
"""Older processors add two products in 16 bits, which full-range weights would overflow."""

ROW_STEP = 32
"""Rows are rounded up to it: the library builds a kernel for every number of rows, at about a millisecond each."""


class Int8Linear(nn.Module):
    """A linear layer with one scale per output channel for the weights and one per token for the inputs.

    The scale of a token comes from that token alone, and integer sums are exact, so an answer does not depend on the
    messages that share its batch. The weights are kept once, in eight bits, in the order that the product reads.

    Args:
        weight: (outputs, inputs), float32; not kept.
        bias: (outputs,).

    Attributes:
        shape: outputs and inputs.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        steps = STEPS if has_vnni() else STEPS_WITHOUT_VNNI
        scale = weight.detach().abs().amax(dim=1).clamp_min(1e-12) / steps
        rounded = torch.round(weight.detach() / scale[:, None]).to(torch.int8)
        self.shape = (weight.shape[0], weight.shape[1])
        self._packed = torch.ops.onednn.qlinear_prepack(rounded, None)
        self._scale = scale
        self._zeros = torch.zeros(len(scale), dtype=torch.int32)
        self._bias = bias.detach().clone()
        self._middle = torch.tensor(ZERO + 0.5)

    def forward(self, inputs: Tensor) -> Tensor:
        """(tokens, inputs) to (tokens, outputs), float32."""
        largest = torch.maximum(inputs.amax(dim=1, keepdim=True), inputs.amin(dim=1, keepdim=True).neg_())
        scale = largest.clamp_min_(1e-12).div_(STEPS)
        rows = len(inputs)
        rounded = torch.empty(-(-rows // ROW_STEP) * ROW_STEP, inputs.shape[1], dtype=torch.uint8)
        # The conversion cuts the fraction off, so the half in `middle` makes it round.
        rounded[:rows] = torch.addcmul(self._middle, inputs, scale.reciprocal())
        product = torch.ops.onednn.qlinear_pointwise(
            rounded, 1.0, ZERO, self._packed, self._scale, self._zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )[:rows]
        return torch.addcmul(self._bias, product, scale, out=product)


def has_vnni() -> bool:
    """Whether the processor sums products of bytes in 32 bits."""
    facts = torch.cpu.get_capabilities()
    return bool(facts.get("avx512_vnni") or facts.get("avx_vnni") or facts.get("amx_int8"))


def available() -> bool:
    """Whether this build of torch has the integer product for this processor."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.onednn, "qlinear_pointwise")
