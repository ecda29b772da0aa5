"""Mixed precision: the forward pass in 16 bits, weights and optimizer in 32.

Method: Micikevicius et al. (2018), "Mixed Precision Training", arXiv:1710.03740.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from sluice.tasks.errors import ModelUnavailable

FAST_BF16 = ("amx_bf16", "avx512_bf16")
"""What a CPU must have one of for bf16 to be quicker than 32 bits."""


def resolve(choice: str, device: torch.device) -> str:
    """ "off", "bf16" or "fp16": `choice`, or for "auto" what pays on `device`.

    Raises ModelUnavailable for fp16 on a CPU.
    """
    if choice == "fp16" and device.type != "cuda":
        raise ModelUnavailable("fp16 needs a CUDA device: set --amp to auto, bf16 or off.")
    if choice != "auto":
        return choice
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    able = torch.cpu.get_capabilities()
    return "bf16" if any(able.get(name) for name in FAST_BF16) else "off"


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The context of a forward pass in `precision`, as `resolve` gives it."""
    if precision == "off":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)


def make_scaler(precision: str) -> torch.amp.GradScaler:
    """Keeps small gradients of fp16 from vanishing; does nothing in the other precisions."""
    return torch.amp.GradScaler("cuda", enabled=precision == "fp16")
