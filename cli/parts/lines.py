"""What the operator reads: each line of output with the name of its part."""

from __future__ import annotations

import os
import sys

import click

from sluice.cli.streams import OutputLost

COLOURS = {"web": "cyan", "worker": "green", "flower": "magenta", "redis": "blue", "sluice": "yellow"}


def write_line(name: str, line: str) -> None:
    """One line of a part's output, marked with its name; in colour on a terminal."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    mark = click.style(f"{name:>6} |", fg=COLOURS.get(name.partition("-")[0])) if coloured else f"{name:>6} |"
    try:
        sys.stdout.write(f"{mark} {line}\n")
        sys.stdout.flush()
    except (OSError, OutputLost, UnicodeEncodeError):
        return  # nobody reads; the service goes on
