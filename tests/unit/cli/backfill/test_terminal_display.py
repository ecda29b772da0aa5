"""What an operator sees of a backfill on terminals of several widths, and at its end."""

from __future__ import annotations

import io
import re
import sys
import time
from collections import Counter

import pytest
from rich.console import Console

from sluice.backfill.run.stats import RunStats
from sluice.cli.backfill.terminal_display import FREE_COLUMNS, TerminalDisplay, print_summary
from sluice.cli.output import screen


def millions() -> RunStats:
    labels = Counter(ham=1_444_000, phishing=16_000, spam=40_000)
    began = time.monotonic() - 600
    return RunStats(labels, Counter(invalid_input=12), sent=1_000_000, saved=499_988, started=began)


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=20, color_system=None)


def lines_of(console: Console) -> list[str]:
    """What was written, without what moves the cursor."""
    assert isinstance(console.file, io.StringIO)
    written = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
    return [line.rstrip() for line in written.splitlines()]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_count_is_seen_at_every_width(width: int) -> None:
    console = terminal(width)
    with TerminalDisplay(console) as progress:
        progress.update(0.99, millions())
    lines = lines_of(console)
    for part in ("99%", "1,500,012 rows", "ETA", "ham 1,444,000", "phishing 16,000", "errors 12", "saved 499,988"):
        assert any(part in line for line in lines), part
    # A terminal writes ^C behind the last line: where that is full, it would tear the display.
    assert max(map(len, lines)) <= width - FREE_COLUMNS
    assert any(line.count("━") >= 20 for line in lines)


def test_a_line_at_the_end_says_how_long_it_took() -> None:
    console = Console(file=io.StringIO(), width=140)
    progress = TerminalDisplay(console)
    progress._last_line -= 60  # such as after a model that loads slowly
    progress.update(1.0, millions())
    assert "  took 10:00  ham" in lines_of(console)[0]


def test_a_file_gets_lines_even_if_it_gets_colours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with TerminalDisplay(screen(stderr=True)) as progress:
        progress.update(0.5, millions())
        progress.note("the same command carries on")
    assert capsys.readouterr().err.count("\n") == 1


def test_a_terminal_that_cannot_redraw_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    console = terminal(120)
    with TerminalDisplay(console) as progress:
        progress._last_line -= 60
        progress.update(0.5, millions())
        assert " 50%  1,500,012 rows" in lines_of(console)[0]


def test_something_is_seen_before_the_first_row() -> None:
    console = terminal(80)
    with TerminalDisplay(console):
        assert "looking through the input" in lines_of(console)


def test_shares_in_the_summary_are_never_rounded_to_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(millions(), "out.csv")
    found = capsys.readouterr().out
    assert re.search(r"error: invalid_input +12 +<0\.1%", found)
    assert re.search(r"ham +1,444,000 +96\.3%", found)


def test_names_that_the_terminal_cannot_show_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(sink, encoding="ascii", errors="strict"))
    print_summary(RunStats(), "gr\u00fc\udce9e.csv")
    screen().print("done")
    sys.stdout.flush()
    assert b"written to gr\\xfc\\udce9e.csv" in sink.getvalue()
    assert sink.getvalue().endswith(b"done\n")


def test_what_is_done_first_is_said_at_once() -> None:
    console = terminal(80)
    with TerminalDisplay(console) as progress:
        progress.stage("loading the model")
        assert any("loading the model" in line for line in lines_of(console))
        progress.update(0.5, millions())
        assert any("50%" in line for line in lines_of(console))
    console = Console(file=io.StringIO(), width=140)
    with TerminalDisplay(console) as progress:
        progress.stage("loading the model")
        assert lines_of(console) == ["sluice: loading the model"]


def test_the_rate_of_a_finished_run_is_that_of_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    stats = millions()
    stats.stop()
    console = Console(file=io.StringIO(), width=140)
    progress = TerminalDisplay(console)
    progress.update(0.1, RunStats())
    progress._last_line -= 60
    progress.update(1.0, stats)
    print_summary(stats, "out.csv")
    (rate,) = re.findall(r"([\d,]+) rows/s", capsys.readouterr().out)
    assert f"  {rate}/s  " in lines_of(console)[-1]
