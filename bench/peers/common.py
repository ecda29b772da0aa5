"""What the peers share: the model object, the limits, what an answer holds, the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from sluice.config.settings import Settings

HOST = "127.0.0.1"
#: Threads of a WSGI server: callers that wait for their answers at once.
WEB_THREADS = 256
#: Seconds after which a peer may give a request up; far more than any run needs.
TIMEOUT_S = 120


class Model:
    """The classifier that the settings name, asked for whole batches."""

    def __init__(self, settings: Settings) -> None:
        from sluice.worker.model.loader import load

        self._classifier = load(settings)
        self._size = settings.max_batch_size
        _set_threads(settings.model_threads)

    def classify(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """One answer for each text, in order, from one forward pass."""
        classifier = self._classifier
        rows = classifier.forward(classifier.encode(texts))
        return [_answer(classifier.labels, row) for row in rows]

    def warm_up(self) -> None:
        """Run the batches that a first request would otherwise pay for."""
        self._classifier.warm_up(self._size)


def _answer(labels: Sequence[str], row: list[float]) -> dict[str, Any]:
    probability = max(row)
    return {"label": labels[row.index(probability)], "probability": probability}


def _set_threads(threads: int) -> None:
    """A peer's model has every core unless told otherwise, as torch decides by itself."""
    torch = sys.modules.get("torch")
    if torch is not None and threads:
        torch.set_num_threads(threads)


def is_text(value: Any, settings: Settings) -> bool:
    """Whether a request may ask for this text: Sluice's own limits."""
    return isinstance(value, str) and 0 < len(value) <= settings.max_text_chars and not value.isspace()


def port_option(description: str | None) -> int:
    """Read ``--port`` from the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True)
    return int(parser.parse_args().port)
