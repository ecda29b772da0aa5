"""The work behind ``sluice backfill``: reader → sender → writer, in one thread."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from backfill.stop import Stop, Stopped
from cli.backfill.progress import Display, print_summary
from cli.backfill.reader import CsvReader
from cli.backfill.row import Row
from cli.backfill.sender import Sender
from cli.backfill.tally import Tally
from cli.backfill.writer import CsvWriter, UnwritableOutput
from cli.embedded import require_running
from cli.output import log_to, screen
from config.settings import Settings
from tasks.client import Client
from tasks.envelope import ENVELOPE_MESSAGES


def run(settings: Settings, source: Path, target: Path, text_column: str | None, *, lane: str, window: int) -> int:
    """Classify ``source`` into ``target``; returns the exit status.

    Raises:
        UnreadableArchive, UnwritableOutput: nothing was written.
        ServiceNotRunning, BrokerUnavailable: there is nobody to ask.
    """
    if target.exists() and target.samefile(source):
        raise UnwritableOutput(f"{target} is the input: choose another name for the output")
    if target.is_dir():
        raise UnwritableOutput(f"{target} is a folder: name a file in it")
    console = screen(stderr=True)
    log_to(console)
    require_running(settings)
    stop = Stop()
    stop.install()
    try:
        tally = _classify(settings, source, target, text_column, lane, window, stop)
    except Stopped as stopped:
        console.print(f"sluice: stopped; {target} was not written", soft_wrap=True)
        return stopped.status
    print_summary(tally, str(target), tally.seconds)
    return 0


def _classify(
    settings: Settings, source: Path, target: Path, text_column: str | None, lane: str, window: int, stop: Stop
) -> Tally:
    with (
        CsvReader(source, text_column, settings.max_text_chars) as reader,
        Client(settings) as client,
        CsvWriter(target, reader.header) as writer,
    ):
        tally = Tally()
        with Display(reader.size, tally, screen(stderr=True)) as display:
            sender = Sender(client, lane, window, display.note, stop)
            try:
                for rows in _answered(iter(reader), sender):
                    writer.write(rows)
                    tally.add(rows)
                    display.update(rows[-1].end)
            except BaseException:
                sender.give_up()
                raise
            display.update(reader.size)
    return tally


def _answered(rows: Iterator[Row], sender: Sender) -> Iterator[list[Row]]:
    """Send everything, window by window; yields rows in input order as they complete."""
    while chunk := list(itertools.islice(rows, ENVELOPE_MESSAGES)):
        while sender.full:
            sender.wait()
            if done := sender.take():
                yield done
        sender.send(chunk)
    while sender.outstanding:
        sender.wait()
        if done := sender.take():
            yield done
    if done := sender.take():
        yield done
