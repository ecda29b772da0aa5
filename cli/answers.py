"""The work behind ``sluice predict``: send, wait, print."""

from __future__ import annotations

import itertools
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from uuid import uuid4

import click
import orjson

from sluice.cli.embedded import require_running
from sluice.cli.output import LABEL_COLOURS, screen
from sluice.config.settings import Settings
from sluice.tasks.client import Client
from sluice.tasks.envelope import ENVELOPE_MESSAGES, Entry
from sluice.tasks.errors import SluiceError

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


def run(settings: Settings, texts: Iterable[str], *, as_json: bool, wait_s: float) -> int:
    """Classify ``texts`` envelope by envelope and print each answer; returns the exit status.

    Raises:
        ServiceNotRunning, BrokerUnavailable, BackendUnavailable: nothing can be asked.
        NoAnswer: no answer within ``wait_s``.
    """
    logging.basicConfig(level=logging.ERROR, format="sluice: %(message)s")
    require_running(settings)
    failures = 0
    with Client(settings) as client:
        for chunk in _chunks(_messages(texts)):
            sent = time.perf_counter()
            entries = ask(client, chunk, wait_s)
            ms = (time.perf_counter() - sent) * 1000
            failures += sum("error" in entry for entry in entries)
            (_print_json if as_json else _print_lines)(chunk, entries, ms)
    return 1 if failures else 0


def ask(client: Client, texts: Sequence[str], wait_s: float) -> list[Entry]:
    """The entries of one envelope, in order."""
    envelope_id = str(uuid4())
    client.publish(texts, lane="interactive", envelope_id=envelope_id)
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
                entries.update(enumerate(stored.entries(len(texts))))
    return [entries[i] for i in range(len(texts))]


def _why_none(client: Client, wait_s: float) -> str:
    if not client.workers():
        return f"no answer within {wait_s:g} s, because no worker is ready: start one with `sluice worker`"
    return f"no answer within {wait_s:g} s: the workers are busy; wait longer with --wait"


def _messages(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if text != "-":
            yield text
            continue
        with click.open_file("-", encoding="utf-8", errors="replace") as lines:
            yield from (line.rstrip("\r\n") for line in lines)


def _chunks(texts: Iterator[str]) -> Iterator[list[str]]:
    while chunk := list(itertools.islice(texts, ENVELOPE_MESSAGES)):
        yield chunk


def _print_json(texts: Sequence[str], entries: Sequence[Entry], ms: float) -> None:
    for text, entry in zip(texts, entries, strict=True):
        click.echo(orjson.dumps({"text": text, **entry, "ms": round(ms, 1)}))


def _print_lines(texts: Sequence[str], entries: Sequence[Entry], ms: float) -> None:
    from rich.text import Text

    console = screen()
    for text, entry in zip(texts, entries, strict=True):
        if "error" in entry:
            answer, style, number = entry["error"]["code"], "bold red", "     -"
        else:
            answer, style = entry["label"], LABEL_COLOURS.get(entry["label"], "cyan")
            number = f"{entry['probability']:6.3f}"
        line = Text.assemble((f"{answer:<9}", style), f" {number} ", (f"{ms:7.1f} ms  ", "dim"))
        note = entry["error"]["message"] if "error" in entry else " ".join(text.split())
        line.append(note)
        console.print(line, no_wrap=True, overflow="ellipsis" if sys.stdout.isatty() else "ignore", crop=False)
