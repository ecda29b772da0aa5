"""Which number format a model runs in: what the settings ask for, or what agrees and pays."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.golden import Agreement, answers, compare, golden_texts
from sluice.worker.model.int8 import Int8Linear, available

log = logging.getLogger(__name__)

NAMES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "int8": "int8"}
"""What each setting is called in `Classifier.precision`."""
LEAST_AGREEMENT = 0.995
"""Share of golden messages that must keep their label in eight bits."""
LEAST_GAIN = 1.2
"""How many times faster eight bits must be."""
LEAST_MESSAGE_S = 0.001
"""Seconds a message in float32 from which on saving some is worth a different answer now and then."""
REPEATS = 3
SAMPLE = 16
"""Messages of the batch that is timed."""


def required(precision: str, use_fp16: bool, device: torch.device, packed: bool) -> str | None:
    """The precision that the settings decide; None where it is left to `int8_pays`.

    Raises ModelUnavailable for one that this device or this model cannot run.
    """
    cuda = device.type == "cuda"
    if precision == "auto":
        if cuda:
            return "float16" if use_fp16 else "float32"
        return None if packed and available() else "float32"
    if precision == "fp16" and not cuda:
        raise _impossible(precision, f"needs a CUDA device, and the model runs on {device}")
    if precision == "bf16" and cuda and not torch.cuda.is_bf16_supported():
        raise _impossible(precision, f"is not supported by {torch.cuda.get_device_name(device)}")
    if precision == "int8" and cuda:
        raise _impossible(precision, "is for CPUs, and the model runs on CUDA")
    if precision == "int8" and not packed:
        raise _impossible(precision, "needs a model that runs packed (BERT, DistilBERT, RoBERTa, XLM-R; SLUICE_PACKED)")
    if precision == "int8" and not available():
        raise _impossible(precision, "is not supported by this build of torch")
    return NAMES[precision]


def _impossible(precision: str, why: str) -> ModelUnavailable:
    return ModelUnavailable(f"SLUICE_PRECISION={precision} {why}: set SLUICE_PRECISION to auto or another.")


def int8_pays(full: Any, make_int8: Callable[[], Any], encode: Callable[[list[str]], list[list[int]]]) -> Any | None:
    """The model in eight bits if it is faster and answers alike, else None; one log line says why.

    Args:
        full: logits of a batch, in float32.
        make_int8: makes the same in eight bits.
        encode: texts to token ids.
    """
    if not product_is_fast():
        log.info("precision float32: this processor multiplies bytes no faster")
        return None
    messages = encode(golden_texts())
    sample = messages[:: len(messages) // SAMPLE][:SAMPLE]
    spent = _forward_s(full, sample)
    if spent < LEAST_MESSAGE_S * SAMPLE:
        log.info("precision float32: the model is light, %.2f ms a message", spent * 1e3 / SAMPLE)
        return None
    cheap = make_int8()
    gain = spent / _forward_s(cheap, sample)
    if gain < LEAST_GAIN:
        log.info("precision float32: int8 would be only %.2f times as fast", gain)
        return None
    found = agreement(full, cheap, messages)
    verdict = "int8" if found.labels >= LEAST_AGREEMENT else "float32"
    log.info(
        "precision %s: int8 is %.1f times as fast; %.1f%% of %d golden labels agree, probabilities within %.3f",
        verdict,
        gain,
        found.labels * 100,
        len(messages),
        found.difference,
    )
    return cheap if verdict == "int8" else None


def agreement(full: Any, cheap: Any, messages: Sequence[list[int]]) -> Agreement:
    """How the answers of `cheap` compare with those of `full`."""
    with torch.inference_mode():
        return compare(answers(full, messages), answers(cheap, messages))


def product_is_fast() -> bool:
    """Whether eight bits are worth a try: where torch has no kernel, its reference code takes seconds a layer."""
    inputs, weight = torch.randn(64, 256), torch.randn(256, 256)
    linear = Int8Linear(weight, torch.zeros(256))
    return _seconds(lambda: linear(inputs)) < 10 * _seconds(lambda: torch.nn.functional.linear(inputs, weight))


def _forward_s(logits: Any, batch: Sequence[list[int]]) -> float:
    with torch.inference_mode():
        return _seconds(lambda: logits(batch))


def _seconds(work: Callable[[], Any]) -> float:
    """The best of a few: noise only ever adds, and the first may build kernels."""
    spent = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return min(spent)
