"""Where commands print: rich consoles for people, and logging that does not tear a progress bar."""

from __future__ import annotations

import io
import logging
import shutil
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

#: Labels of the shipped model, and how a terminal shows them.
LABEL_COLOURS = {"ham": "green", "spam": "yellow", "phishing": "red"}
VERDICT_COLOURS = {"allow": "green", "flag": "yellow", "block": "bold red"}
#: Columns of a table that goes into a file or a pipe, where the terminal's width is unknown.
PLAIN_WIDTH = 140
#: A warning is not repeated within this time.
SAME_LINE_EVERY_S = 30.0


def screen(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr; no markup is read from what is printed, and no SMS is ever highlighted.

    Characters that the stream cannot hold, such as those of a file's name, are escaped, as Python does on stderr.
    """
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.file.isatty():  # FORCE_COLOR asks for colours in a file, not for a bar that is redrawn there
        console.is_interactive = False
    if not console.is_terminal and shutil.get_terminal_size((0, 0)).columns == 0:
        console.width = PLAIN_WIDTH
    return console


class ConsoleHandler(logging.Handler):
    """Prints records above a running progress bar, in one line each, without stack traces, now and then."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._printed: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = record.getMessage()
            now = time.monotonic()
            if now - self._printed.get(line, -SAME_LINE_EVERY_S) >= SAME_LINE_EVERY_S:
                self._printed[line] = now
                self._console.print(f"sluice: {line}", style="yellow", soft_wrap=True)
        except Exception:
            self.handleError(record)


def log_to(console: Console, level: int = logging.WARNING) -> None:
    """Send the warnings of every library to ``console``."""
    logging.basicConfig(level=level, handlers=[ConsoleHandler(console)], force=True)
