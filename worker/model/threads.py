"""How many CPU threads the model computes with."""

from __future__ import annotations

import os
import sys


def limit(threads: int) -> int:
    """Set torch's threads for this process; returns their number, 0 if no torch model is loaded.

    Args:
        threads: 0 leaves one core to the hub, the tokenizer and the result store. OpenMP threads wait for each other
            at every layer, so one that shares its core with them holds up all: on two busy cores a small model was 35
            times slower with two threads than with one.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return 0
    torch.set_num_threads(threads or max(1, len(os.sched_getaffinity(0)) - 1))
    return int(torch.get_num_threads())
