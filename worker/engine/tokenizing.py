"""How many threads tokenise. Must be said before the first text is tokenised in this process."""

from __future__ import annotations

import os

#: More are never needed: eight threads tokenise some 100,000 messages a second.
MOST_THREADS = 8
#: Cores left to the hub and to the threads of the model and of the result store.
CORES_KEPT = 2


def spread(threads: int, device: str) -> int:
    """Set the tokenizer's threads for this process; returns their number.

    The tokenizer divides a list of texts among the threads of its own pool, outside the interpreter's lock. The pool
    reads its size once, when it is first used.

    Args:
        threads: 0 is one beside a model on the CPU, which needs the other cores, and more beside an accelerator.
        device: where the model runs, as torch writes it.
    """
    if not threads:
        cores = len(os.sched_getaffinity(0))
        threads = 1 if device == "cpu" else max(1, min(MOST_THREADS, cores - CORES_KEPT))
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    return threads
