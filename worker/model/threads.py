"""How many CPU threads the model computes with, and how they wait for each other."""

from __future__ import annotations

import logging
import os
import sys

from sluice.worker.model.base import Classifier
from sluice.worker.model.calibrate import best_seconds

log = logging.getLogger(__name__)

HEAVY_S = 0.002
"""Seconds a message from which on the hub, the tokenizer and the result store are little beside the model."""
LEAST_GAIN = 1.1
"""How many times faster all cores must be than all but one."""
MESSAGES = 4
TEXT = "Your parcel 4711 waits at the depot, please bring this code with you."


def wait_asleep() -> None:
    """Makes OpenMP's threads sleep while they wait for each other; to be called before torch is loaded.

    By default they spin. One that spins on a core which another thread needs holds up all at every layer: on two busy
    cores a small model took 50 times as long with two threads as with one. Asleep, it takes no longer.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def limit(threads: int) -> int:
    """Set torch's threads for this process; returns their number, 0 if no torch model is loaded.

    Args:
        threads: 0 leaves one core to the hub, the tokenizer and the result store.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return 0
    torch.set_num_threads(threads or max(1, _cores() - 1))
    return int(torch.get_num_threads())


def settle(classifier: Classifier, threads: int) -> int:
    """As `limit`, but with 0 a model on the CPU gets all cores if it is so heavy that the rest of the work is nothing
    beside it, and gains from them; that is measured, in a few forwards.
    """
    chosen, cores = limit(threads), _cores()
    if not chosen or threads or cores == 1 or classifier.device != "cpu":
        return chosen
    batch = classifier.encode([TEXT]) * MESSAGES
    few = best_seconds(classifier, batch)
    if few >= HEAVY_S * MESSAGES:
        limit(cores)
        chosen = cores if best_seconds(classifier, batch) * LEAST_GAIN <= few else limit(0)
    log.info("the model computes with %d of %d cores, %.1f ms a message", chosen, cores, few * 1e3 / MESSAGES)
    return chosen


def _cores() -> int:
    return len(os.sched_getaffinity(0))
