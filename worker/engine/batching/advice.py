"""What to set for a latency target on a device whose cost is known. Pure; ``sluice tune`` prints it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sluice.worker.engine.batching.budget import batch_tokens
from sluice.worker.engine.batching.policy import MODEL_PLACES, SLOW_BATCH_S

#: Seconds that broker, threads and result store take of a message's time under load.
PATH_S = 0.008
#: Share of the target that a message may spend waiting for others.
WAIT_SHARE = 0.1
#: Longest wait, seconds, that is ever advised.
MOST_WAIT_S = 0.005
#: Batch sizes are advised in steps of this.
SIZE_STEP = 8
MOST_MESSAGES = 4096


@dataclass(frozen=True, slots=True)
class Advice:
    """Settings, and what to expect of them.

    Args:
        tokens: for ``MAX_BATCH_TOKENS``.
        messages: for ``MAX_BATCH_SIZE``.
        wait_s: for ``BATCH_WAIT_MS``, seconds.
        batch_s: seconds a full batch takes.
        latency_s: longest time of an interactive message under load.
        rate: messages/s under load.
        limited: whether the target is what limits the batch; False: larger ones would hardly be faster.
        met: whether the target can be reached.
    """

    tokens: int
    messages: int
    wait_s: float
    batch_s: float
    latency_s: float
    rate: float
    limited: bool
    met: bool


def advise(a_s: float, b_s: float, target_s: float, mean_tokens: float, longest: int) -> Advice:
    """The largest batch that keeps the target, if it pays to have it so large.

    A message that comes under load waits for the batch that runs and for those ready before it, then for its own: with
    ``places`` batches at the model that is ``places + 1`` batches.

    Args:
        a_s: seconds a batch costs, whatever is in it.
        b_s: seconds a token adds.
        target_s: wished time from arrival to answer of an interactive message under load.
        mean_tokens: tokens of a message on average.
        longest: tokens of the longest message.
    """
    wait_s = min(a_s, WAIT_SHARE * target_s, MOST_WAIT_S)
    most = MOST_MESSAGES * longest
    per_token = max(b_s, 1e-9)
    useful = batch_tokens(a_s, b_s, MOST_MESSAGES, longest) or most
    left_s = target_s - PATH_S - wait_s
    batch_s = max(left_s / (_places(left_s / (MODEL_PLACES + 1)) + 1), 0.0)
    affordable = (batch_s - a_s) / per_token
    tokens = int(max(min(useful, affordable, most), longest))
    messages = min(MOST_MESSAGES, SIZE_STEP * math.ceil(tokens / mean_tokens / SIZE_STEP))
    full_s = a_s + b_s * tokens
    latency_s = PATH_S + wait_s + (_places(full_s) + 1) * full_s
    rate = tokens / mean_tokens / full_s
    return Advice(tokens, messages, wait_s, full_s, latency_s, rate, affordable < useful, latency_s <= target_s * 1.001)


def _places(batch_s: float) -> int:
    """Batches that are at the model at once when they take so long; the worker decides likewise."""
    return 1 if batch_s > SLOW_BATCH_S else MODEL_PLACES
