"""What the operator sees: a bar on a terminal, a line now and then elsewhere, and the summary."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.backfill.tally import Tally
from cli.output import screen

if TYPE_CHECKING:
    from rich.console import Console

LINE_EVERY_S = 5.0
#: A notice is not repeated within this time.
SAME_NOTE_EVERY_S = 30.0


class Display:
    """Shows how far the file is read and answered. Rates are of the whole run, so that the ETA is steady.

    Args:
        total: size of the input in bytes.
        tally: the counts, kept up to date by the caller.
        console: where to show; a bar only if it is a terminal.
    """

    def __init__(self, total: int, tally: Tally, console: Console) -> None:
        self.console = console
        self._total = max(total, 1)
        self._tally = tally
        self._last_line = time.monotonic()
        self._notes: dict[str, float] = {}
        self._bar = Progress(
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[done]} rows"),
            TextColumn("{task.fields[rate]}/s"),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[counts]}", style="dim"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=self._total, done="0", rate="0", counts="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._bar.stop()

    def update(self, position: int) -> None:
        """Everything before byte ``position`` of the input is written."""
        tally = self._tally
        self._bar.update(
            self._task,
            completed=min(position, self._total),
            done=f"{tally.rows:,}",
            rate=f"{tally.rate:,.0f}",
            counts=tally.summary(),
        )
        now = time.monotonic()
        if not self.console.is_terminal and now - self._last_line > LINE_EVERY_S:
            self._last_line = now
            done = position / self._total
            eta_s = tally.seconds / done - tally.seconds if done else 0
            self.console.print(
                f"{done:4.0%}  {tally.rows:,} rows  {tally.rate:,.0f}/s  ETA {eta_s:,.0f} s  {tally.summary()}"
            )

    def note(self, sentence: str) -> None:
        """Tell the operator something, once in a while."""
        now = time.monotonic()
        if now - self._notes.get(sentence, -SAME_NOTE_EVERY_S) >= SAME_NOTE_EVERY_S:
            self._notes[sentence] = now
            self.console.print(f"sluice: {sentence}", style="yellow", soft_wrap=True)


def print_summary(tally: Tally, target: str, seconds: float) -> None:
    """Rows, time, rate, and the share of each label, on stdout."""
    table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
    table.add_column("")
    table.add_column("rows", justify="right")
    table.add_column("share", justify="right")
    for label, count in sorted(tally.labels.items()):
        table.add_row(label, f"{count:,}", f"{count / tally.rows:.1%}")
    for code, count in sorted(tally.errors.items()):
        table.add_row(f"error: {code}", f"{count:,}", f"{count / tally.rows:.1%}", style="red")
    table.add_row("all", f"{tally.rows:,}", "", style="bold")
    console = screen()
    console.print(table)
    console.print(
        f"{seconds:,.1f} s, {tally.rows / max(seconds, 1e-6):,.0f} rows/s, written to {target}", soft_wrap=True
    )
