"""The work behind ``sluice predict``: ask the service or a model of its own, wait, print."""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import click
import orjson

from sluice.cli.embedded import require_running
from sluice.cli.output import LABEL_COLOURS, VERDICT_COLOURS, screen
from sluice.cli.streams import STDIN
from sluice.config.settings import Settings
from sluice.tasks.client import Client
from sluice.tasks.envelope import ENVELOPE_MESSAGES
from sluice.tasks.errors import SluiceError
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.results import entries_of
from sluice.tasks.verdicts import objection
from sluice.tasks.wire.entry import Entry, Fault, Prediction, fault_of, is_prediction

if TYPE_CHECKING:
    from rich.text import Text

Ask = Callable[[Sequence[str]], list[Entry]]

#: Seconds without a reply after which the stored result is asked for.
ASK_AFTER_S = 1.0


class NoAnswer(SluiceError):
    """The wait ran out."""

    status = 504
    code = "no_answer"


class Deadline:
    """A point in time after which waiting ends."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        return max(0.0, self._at - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.left_s == 0.0


def run(
    settings: Settings, texts: Iterable[str], *, as_json: bool, options: PredictionOptions, local: bool, wait_s: float
) -> int:
    """Classify ``texts`` some at a time and print each answer; returns the exit status.

    Args:
        options: what to print besides label and probability.
        local: whether the model runs in this process; else in the workers of the running service.

    Raises:
        ServiceNotRunning, BrokerUnavailable, BackendUnavailable, ModelUnavailable: nothing can be asked.
        InvalidInput: a verdict is wished for, and the model gives none.
        NoAnswer: no answer within ``wait_s``.
    """
    logging.basicConfig(level=logging.ERROR, format="sluice: %(message)s")
    failures = 0
    with _asking(settings, local, options, wait_s) as ask_for:
        for chunk in _chunks(_lines(texts)):
            sent = time.perf_counter()
            entries = ask_for(chunk)
            ms = (time.perf_counter() - sent) * 1000
            failures += sum(not _answers(entry, options) for entry in entries)
            (_print_json if as_json else _print_lines)(chunk, entries, ms)
    return 1 if failures else 0


@contextmanager
def _asking(settings: Settings, local: bool, options: PredictionOptions, wait_s: float) -> Iterator[Ask]:
    """What answers texts, in order: a model that is loaded here, or the service."""
    if local:
        with _waiting("loading the model"):
            from sluice.cli.local import LocalModel

            model = LocalModel(settings, options)
        yield model.ask
        return
    require_running(settings, "give --local to run the model in this command")
    with Client(settings) as client:
        if options.verdict and (error := objection(client.workers())):
            raise error
        yield lambda texts: ask(client, texts, wait_s, options)


@contextmanager
def _waiting(reason: str) -> Iterator[None]:
    """Say on a terminal what takes a while."""
    console = screen(stderr=True)
    if console.is_interactive:
        with console.status(f"{reason} …"):
            yield
    else:
        yield


def ask(client: Client, texts: Sequence[str], wait_s: float, options: PredictionOptions = LABEL_ONLY) -> list[Entry]:
    """The entries of one envelope, in order."""
    envelope_id = str(uuid4())
    client.publish(texts, lane="interactive", envelope_id=envelope_id, options=options)
    deadline = Deadline(wait_s)
    entries: dict[int, Entry] = {}
    while len(entries) < len(texts):
        if deadline.passed:
            client.revoke([envelope_id])
            raise NoAnswer(_why_none(client, wait_s))
        replies = client.replies(min(ASK_AFTER_S, deadline.left_s))
        for identity, answers in replies:
            if identity == envelope_id:
                entries.update(answers)
        if not replies:
            stored = client.fetch([envelope_id])[0]
            if stored.ready:
                entries.update(enumerate(entries_of(stored, len(texts))))
    return [entries[i] for i in range(len(texts))]


def _why_none(client: Client, wait_s: float) -> str:
    if not client.workers():
        return f"no answer within {wait_s:g} s, because no worker is ready: start one with `sluice worker`"
    return f"no answer within {wait_s:g} s: the workers are busy; wait longer with --wait"


def _lines(texts: Iterable[str]) -> Iterator[str | None]:
    """Each text, and each line of stdin in place of ``-``; None wherever stdin has no more for the moment."""
    for text in texts:
        if text == "-":
            yield from _stdin()
        else:
            yield text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # what the shell gave as bytes


def _stdin() -> Iterator[str | None]:
    """The lines of stdin as they come, so that what a program writes now and then is answered at once."""
    found: queue.Queue[str | None] = queue.Queue(ENVELOPE_MESSAGES)

    def read() -> None:
        # A stream of its own: at the end of the process Python waits for nobody who holds that of sys.stdin.
        with open(STDIN, encoding="utf-8-sig", errors="replace", closefd=False) as lines:
            for line in lines:
                found.put(line.rstrip("\r\n"))
        found.put(None)

    threading.Thread(target=read, name="sluice-stdin", daemon=True).start()
    while (line := found.get()) is not None:
        yield line
        if found.empty():
            yield None


def _chunks(lines: Iterator[str | None]) -> Iterator[list[str]]:
    """What can be asked together: up to an envelope of texts, less where no more is there."""
    chunk: list[str] = []
    for line in lines:
        if line is not None:
            chunk.append(line)
        if chunk and (line is None or len(chunk) == ENVELOPE_MESSAGES):
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _answers(entry: Entry, options: PredictionOptions) -> bool:
    """Whether the entry holds what was asked for: a label, and a verdict if one was wanted."""
    return is_prediction(entry) and (not options.verdict or entry.get("verdict") is not None)


def _print_json(texts: Sequence[str], entries: Sequence[Entry], ms: float) -> None:
    for text, entry in zip(texts, entries, strict=True):
        click.echo(orjson.dumps({"text": text, **entry, "ms": round(ms, 1)}))


def _print_lines(texts: Sequence[str], entries: Sequence[Entry], ms: float) -> None:
    console = screen()
    for text, entry in zip(texts, entries, strict=True):
        line = _predicted(entry, text, ms) if is_prediction(entry) else _failed(fault_of(entry), ms)
        console.print(line, no_wrap=True, overflow="ellipsis" if sys.stdout.isatty() else "ignore", crop=False)


def _predicted(entry: Prediction, text: str, ms: float) -> Text:
    label = entry["label"]
    line = _line(label, LABEL_COLOURS.get(label, "cyan"), f"{entry['probability']:6.3f}", ms)
    if verdict := entry.get("verdict"):
        line.append(f"{verdict:<5} ", VERDICT_COLOURS[verdict])
        line.append(f"({entry['rule']})  ", "dim")
    if scores := entry.get("scores"):
        line.append("  ".join(f"{name} {share:.3f}" for name, share in scores.items()) + "  ", "dim")
    return line.append(" ".join(text.split()))


def _failed(fault: Fault, ms: float) -> Text:
    return _line(fault["code"], "bold red", "     -", ms).append(fault["message"])


def _line(answer: str, style: str, number: str, ms: float) -> Text:
    from rich.text import Text

    return Text.assemble((f"{answer:<9}", style), f" {number} ", (f"{ms:7.1f} ms  ", "dim"))
