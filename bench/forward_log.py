"""A command that loads a model and logs when the model works: ``python -m sluice.bench.forward_log sluice worker …``.

The log goes to the file that ``BENCH_FORWARDS`` names. Its clock is ``time.monotonic``, which all processes of
a machine share. `read` gives it back.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

FILE = "BENCH_FORWARDS"
#: Environment: ``digest`` of the first text that is measured; what came before it was warm-up.
FIRST = "BENCH_FIRST"


@dataclass
class ForwardLog:
    """When a model worked.

    Attributes:
        first: when the first text that counts reached the tokenizer, monotonic seconds; None if it has not yet.
        forwards: ``(began, ended, messages)`` of every forward since the start, warm-up included, in order.
    """

    first: float | None = None
    forwards: list[tuple[float, float, int]] = field(default_factory=list)

    def busy_s(self, until: float) -> float:
        """Seconds between ``first`` and ``until`` in which at least one forward was under way."""
        free = self.first or 0.0
        busy = 0.0
        for began, ended, _ in self.forwards:
            busy += max(0.0, min(ended, until) - max(began, free))
            free = max(free, ended)
        return busy

    def sizes(self) -> list[int]:
        """Messages of each forward since ``first``."""
        return [size for began, _, size in self.forwards if self.first is not None and began >= self.first]


def digest(text: str) -> str:
    """A name for a text that tells nothing of it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read(file: Path) -> ForwardLog:
    """What has been logged so far; a line that is still being written is left out."""
    log = ForwardLog()
    if not file.exists():
        return log
    for line in file.read_text().splitlines(keepends=True):
        word, *numbers = line.split()
        if not line.endswith("\n"):
            continue
        if word == "first":
            log.first = float(numbers[0])
        else:
            log.forwards.append((float(numbers[0]), float(numbers[1]), int(numbers[2])))
    return log


def watch(classifier: Any, out: TextIO, first: str) -> Any:
    """Have a classifier log its work; returns it.

    Args:
        out: unbuffered or by lines.
        first: ``digest`` of the first text that counts.
    """
    encode = classifier.encode

    def watching(texts: Sequence[str]) -> list[list[int]]:
        if any(digest(text) == first for text in texts):
            out.write(f"first {time.monotonic()!r}\n")
            classifier.encode = encode
        return encode(texts)

    classifier.encode = watching
    if hasattr(classifier, "submit"):  # its forward goes through these two
        _watch_ahead(classifier, out)
    else:
        classifier.forward = _timed(classifier.forward, out)
    return classifier


def _timed(forward: Callable[[Any], Any], out: TextIO) -> Callable[[Any], Any]:
    def timed(batch: Any) -> Any:
        began = time.monotonic()
        rows = forward(batch)
        out.write(f"forward {began!r} {time.monotonic()!r} {len(batch)}\n")
        return rows

    return timed


def _watch_ahead(classifier: Any, out: TextIO) -> None:
    """Batches of a device that works on its own last from when they are submitted until they are collected."""
    submit, collect = classifier.submit, classifier.collect

    def submitted(batch: Any) -> Any:
        began = time.monotonic()
        return began, len(batch), submit(batch)

    def collected(handle: Any) -> Any:
        began, size, inner = handle
        rows = collect(inner)
        out.write(f"forward {began!r} {time.monotonic()!r} {size}\n")
        return rows

    classifier.submit, classifier.collect = submitted, collected


def install() -> None:
    """From now on every classifier that this process loads is watched."""
    from sluice.worker.model import loader

    out = Path(os.environ[FILE]).open("a", buffering=1)  # noqa: SIM115 - open for as long as the process lives
    load = loader.load
    loader.load = lambda settings: watch(load(settings), out, os.environ[FIRST])


def main(program: str, *arguments: str) -> int:
    """Run ``sluice`` or ``celery`` with these arguments; returns the exit status."""
    install()
    if program == "sluice":
        from sluice.cli.main import run

        return run(arguments)
    from celery.bin.celery import celery

    status = celery.main(args=list(arguments), prog_name="celery", standalone_mode=False)
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
