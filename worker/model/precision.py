"""Which number format a model runs in: what the settings ask for, or what agrees and pays."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.golden import Agreement, answers, compare, golden_texts
from sluice.worker.model.int8 import Int8Linear, available

log = logging.getLogger(__name__)

NAMES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "int8": "int8"}
"""What each setting is called in `Classifier.precision`."""
LEAST_AGREEMENT = 0.995
"""Share of golden messages that must keep their label in a cheaper precision."""
LEAST_GAIN = 1.2
"""How many times faster than float32 it must be."""
LEAST_MESSAGE_S = 0.001
"""Seconds a message in float32 from which on saving some is worth a different answer now and then."""
REPEATS = 3
SAMPLE = 16
"""Messages of the batch that is timed."""


def required(precision: str, use_fp16: bool, device: torch.device, packed: bool) -> str | None:
    """The precision that the settings decide; None where it is left to `choose`.

    Raises ModelUnavailable for one that this device or this model cannot run.
    """
    cuda = device.type == "cuda"
    if precision == "auto":
        if cuda:
            return "float16" if use_fp16 else "float32"
        return None if packed else "float32"
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


Logits = Callable[[Sequence[list[int]]], Tensor]
"""Token ids of a batch to logits, (messages, labels)."""


def candidates() -> tuple[str, ...]:
    """The cheaper precisions that this processor multiplies in fast, as `Classifier.precision` names them."""
    found = []
    if has_bfloat16():
        found.append("bfloat16")
    if available() and product_is_fast():
        found.append("int8")
    return tuple(found)


def choose(full: Logits, make: Callable[[str], Logits], encode: Callable[[list[str]], list[list[int]]]) -> str:
    """The fastest precision that answers as float32 does; one log line says what was weighed.

    Args:
        full: logits of a batch, in float32.
        make: the same in the precision named.
        encode: texts to token ids.
    """
    names = candidates()
    if not names:
        log.info("precision float32: this processor multiplies neither bytes nor bfloat16 any faster")
        return "float32"
    messages = encode(golden_texts())
    sample = messages[:: len(messages) // SAMPLE][:SAMPLE]
    spent = _forward_s(full, sample)
    if spent < LEAST_MESSAGE_S * SAMPLE:
        log.info("precision float32: the model is light, %.2f ms a message", spent * 1e3 / SAMPLE)
        return "float32"
    best, most, said = "float32", LEAST_GAIN, []
    for name in names:
        gain, agrees, words = _weigh(name, full, make(name), messages, spent, sample)
        said.append(words)
        if agrees and gain >= most:
            best, most = name, gain
    log.info("precision %s: %s", best, "; ".join(said))
    return best


def _weigh(
    name: str, full: Logits, cheap: Logits, messages: Sequence[list[int]], spent: float, sample: Sequence[list[int]]
) -> tuple[float, bool, str]:
    """How many times faster a candidate is, whether it answers alike, and both in words.

    Args:
        spent: seconds that `full` takes for the sample.
    """
    gain = spent / _forward_s(cheap, sample)
    if gain < LEAST_GAIN:
        return gain, False, f"{name} would be only {gain:.2f} times as fast"
    found = agreement(full, cheap, messages)
    words = (
        f"{name} is {gain:.1f} times as fast, {found.labels * 100:.1f}% of {len(messages)} golden labels agree,"
        f" probabilities within {found.difference:.3f}"
    )
    return gain, found.labels >= LEAST_AGREEMENT, words


def agreement(full: Logits, cheap: Logits, messages: Sequence[list[int]]) -> Agreement:
    """How the answers of `cheap` compare with those of `full`."""
    with torch.inference_mode():
        return compare(answers(full, messages), answers(cheap, messages))


def product_is_fast() -> bool:
    """Whether eight bits are worth a try: where torch has no kernel, its reference code takes seconds a layer."""
    inputs, weight = torch.randn(64, 256), torch.randn(256, 256)
    linear = Int8Linear(weight, torch.zeros(256))
    return _seconds(lambda: linear(inputs)) < 10 * _seconds(lambda: torch.nn.functional.linear(inputs, weight))


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16; without such units it is slower than float32."""
    facts = torch.cpu.get_capabilities()
    return bool(facts.get("amx_bf16") or facts.get("amx_tile") or facts.get("avx512_bf16"))


def _forward_s(logits: Logits, batch: Sequence[list[int]]) -> float:
    with torch.inference_mode():
        return _seconds(lambda: logits(batch))


def _seconds(work: Callable[[], object]) -> float:
    """The best of a few: noise only ever adds, and the first may build kernels."""
    spent = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return min(spent)
