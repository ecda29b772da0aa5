"""What the operator sees: a bar on a terminal, a line now and then elsewhere, and the summary."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from sluice.backfill.report.words import percent
from sluice.backfill.run.facts import Note
from sluice.backfill.run.stats import RunStats
from sluice.cli.output import LABEL_COLOURS, screen
from sluice.cli.wording import words
from sluice.tasks.sentence import Sentence

if TYPE_CHECKING:
    from rich.console import Console

LINE_EVERY_S = 5.0
#: A notice is not repeated within this time.
SAME_NOTE_EVERY_S = 30.0
#: The rate that is shown is that of the last seconds.
RATE_OVER_S = 10.0
#: Columns to the right that stay free: the ``^C`` that a terminal writes there must not begin a line of its own.
FREE_COLUMNS = 2
#: Below so many columns the bar has a line for itself.
NARROW = 60


class TerminalDisplay:
    """Shows how far the input is read and answered.

    Args:
        console: where to show; a bar only if it is a terminal that can redraw it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last_line = time.monotonic()
        self._notes: dict[str, float] = {}
        self._recent: list[tuple[float, int]] = []
        self._began: tuple[float, float] | None = None
        self._live = Live(console=console, refresh_per_second=4, transient=False)
        self.rows = 0

    def __enter__(self) -> Self:
        if self._console.is_interactive:
            self._live.update(Text("looking through the input", style="dim"))
            self._live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """The bar stays as it is; may be called again."""
        if self._console.is_interactive:
            self._live.transient = self._began is None
            self._live.stop()

    def update(self, share: float, stats: RunStats) -> None:
        """``share`` of the input, 0..1, is written."""
        now = time.monotonic()
        self.rows = stats.rows
        self._recent.append((now, stats.rows))
        while now - self._recent[0][0] > RATE_OVER_S:
            self._recent.pop(0)
        if self._began is None:
            self._began = (now, share)
        if self._console.is_interactive:
            self._live.update(self._picture(share, stats), refresh=True)
        elif now - self._last_line > LINE_EVERY_S:
            self._last_line = now
            self._console.print(
                f"{share:4.0%}  {stats.rows:,} rows  {self._rate(stats):,.0f}/s  {self._left(share, stats)}"
                f"  {stats.summary()}",
                soft_wrap=True,
            )

    def stage(self, doing: str) -> None:
        """What is being done before there is anything to count, which may take long; shown at once."""
        if self._console.is_interactive:
            self._live.update(Spinner("line", Text(doing, style="dim")), refresh=True)
        else:
            self._console.print(f"sluice: {doing}", soft_wrap=True)

    def words(self, note: Note) -> str:
        """A note about the inputs, with the names of options."""
        return note.said(words) if isinstance(note, Sentence) else note

    def note(self, sentence: str) -> None:
        """Tell the operator something, once in a while."""
        now = time.monotonic()
        if now - self._notes.get(sentence, -SAME_NOTE_EVERY_S) >= SAME_NOTE_EVERY_S:
            self._notes[sentence] = now
            self._console.print(f"sluice: {sentence}", style="yellow", soft_wrap=True)

    def _rate(self, stats: RunStats) -> float:
        """Rows a second of the last seconds; of the whole run at its start, and once it is over."""
        if stats.ended is not None:
            return stats.rate
        (since, rows), (now, latest) = self._recent[0], self._recent[-1]
        return (latest - rows) / (now - since) if now - since > 1 else stats.rate

    def _left(self, share: float, stats: RunStats) -> str:
        return f"ETA {self._eta(share)}" if share < 1 else f"took {_clock(stats.run_s)}"

    def _eta(self, share: float) -> str:
        """Time left if the rest goes like what this run has done; a dash while that is unknown."""
        assert self._began is not None
        began, first = self._began
        done = share - first
        if done <= 0:
            return "-"
        return _clock((time.monotonic() - began) * (1 - share) / done)

    def _picture(self, share: float, stats: RunStats) -> Group:
        width = max(1, self._console.width - FREE_COLUMNS)
        bar = ProgressBar(total=1.0, completed=share)
        figures = [
            f"{share:4.0%}",
            f"{stats.rows:,} rows",
            f"{self._rate(stats):,.0f}/s",
            self._left(share, stats),
        ]
        if width < NARROW:
            return Group(_row(width, bar, figures[0]), Text("  ".join(figures[1:])), *_lines(width, _counts(stats)))
        return Group(_row(width, bar, *figures), *_lines(width, _counts(stats)))


def _row(width: int, bar: ProgressBar, *figures: str) -> Table:
    """``bar`` with ``figures`` to its right."""
    row = Table.grid(padding=(0, 2), expand=True)
    row.width = width
    row.add_column(ratio=1)
    for _ in figures:
        row.add_column(justify="right", no_wrap=True)
    row.add_row(bar, *figures)
    return row


def _counts(stats: RunStats) -> list[Text]:
    found = [
        Text.assemble((label, LABEL_COLOURS.get(label, "cyan")), f" {count:,}")
        for label, count in sorted(stats.labels.items())
    ]
    if stats.errors:
        found.append(Text.assemble(("errors", "bold red"), f" {stats.errors.total():,}"))
    if stats.saved:
        found.append(Text(f"duplicates saved {stats.saved:,}", style="dim"))
    return found


def _lines(width: int, counts: list[Text]) -> list[Text]:
    """``counts`` side by side, as many as fit a line."""
    lines: list[Text] = []
    for one in counts:
        if lines and lines[-1].cell_len + 3 + one.cell_len <= width:
            lines[-1].append("   ").append_text(one)
        else:
            lines.append(Text(no_wrap=True, overflow="ellipsis").append_text(one))
    return lines


def _clock(seconds: float) -> str:
    """1:05, or 2:03:09."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def print_summary(stats: RunStats, target: str, console: Console | None = None) -> None:
    """Rows, time, rate, the share of each label, what duplicates saved, on stdout unless ``console`` is given."""
    table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
    table.add_column("")
    table.add_column("rows", justify="right")
    table.add_column("share", justify="right")
    for label, count in sorted(stats.labels.items()):
        table.add_row(label, f"{count:,}", percent(count, stats.rows))
    for code, count in sorted(stats.errors.items()):
        table.add_row(f"error: {code}", f"{count:,}", percent(count, stats.rows), style="red")
    table.add_row("all", f"{stats.rows:,}", "", style="bold")
    console = console or screen()
    console.print(table)
    if stats.saved:
        console.print(
            f"duplicates saved {stats.saved:,} of {stats.rows:,} rows: {stats.sent:,} went to a model", soft_wrap=True
        )
    if len(stats.versions) > 1:
        found = ", ".join(f"{name} {count:,}" for name, count in sorted(stats.versions.items()))
        console.print(f"note: more than one model answered (columns model and version): {found}", soft_wrap=True)
    for note in stats.notes:
        console.print(f"note: {note}", soft_wrap=True)
    runs = f" in {stats.runs} runs" if stats.runs > 1 else ""
    console.print(
        f"{stats.seconds:,.1f} s{runs}, {stats.rows / max(stats.seconds, 1e-6):,.0f} rows/s, written to {target}",
        soft_wrap=True,
    )
