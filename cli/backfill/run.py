"""The work behind ``sluice backfill``: options to a plan, a classifier, the engine, and what is said at the end."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.backfill import engine
from sluice.backfill.clients.base import ClassifierClient
from sluice.backfill.clients.queue import QueueClient
from sluice.backfill.engine import BackfillResult
from sluice.backfill.outputs.registry import format_of
from sluice.backfill.outputs.streamed import STDOUT
from sluice.backfill.outputs.table import FORMATS, STREAM_DEFAULT, STREAMED, suffix_of
from sluice.backfill.run.plan import Plan
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.run.stop import Stop, Stopped
from sluice.cli.backfill.terminal_display import TerminalDisplay, print_summary
from sluice.cli.embedded import require_running
from sluice.cli.output import log_to, screen
from sluice.cli.streams import OutputLost
from sluice.cli.wording import words
from sluice.config.settings import Settings
from sluice.tasks.app import make_celery
from sluice.tasks.errors import InvalidInput, UnreadableArchive, UnwritableOutput
from sluice.tasks.prediction_options import PredictionOptions
from sluice.tasks.server import check

if TYPE_CHECKING:
    from rich.console import Console

    from sluice.backfill.report.pieces import CountPieces


def run(
    settings: Settings,
    inputs: tuple[str, ...],
    *,
    target: Path,
    output_format: str | None,
    scores: bool,
    verdict: bool,
    report: Path | None,
    include_text: bool,
    restart: bool,
    local: bool,
    lane: str,
    window: int,
    **read: str | None,
) -> int:
    """Classify ``inputs`` into ``target``; returns the exit status.

    Raises:
        UnreadableArchive, UnwritableOutput, ChangedRun: see ``engine.run``.
        ServiceNotRunning, BrokerUnavailable: there is nobody to ask.
    """
    if target == STDOUT:
        _check_stream(output_format, report)
    plan = Plan(
        inputs=inputs,
        target=_file(target),
        output_format=output_format or _format(target),
        read=ReadOptions(**read),
        scores=scores,
        verdict=verdict or settings.verdict,
        max_text_chars=settings.max_text_chars,
        max_in_flight=window,
        restart=restart,
        streamed=target == STDOUT,
    )
    if report is not None:
        _check_report(report, target)
    if not local:
        require_running(settings, "give --local to run the model in this command")
        for error in check(make_celery(settings)):
            raise error
    console = _console(plan)
    stop = Stop()
    stop.install()
    display = TerminalDisplay(console)

    def afterwards(result: BackfillResult) -> None:
        if report is not None:
            display.close()
            console.print(f"{target} is complete; writing the report", style="dim", soft_wrap=True)
            stop.remove()  # the output is there, half a report is none, and the same command makes a whole one
            _write_report(report, plan, result, include_text, _pieces(classifier, local, result))

    try:
        with (
            _target(plan) as plan,
            display,
            _classifier(settings, local, lane, plan.options, display, stop) as classifier,
        ):
            display.stage("looking through the input")
            result = engine.run(plan, classifier, display, stop, afterwards)
    except Stopped as stopped:
        console.print(f"sluice: {stopped_sentence(plan, display.rows)}", soft_wrap=True)
        return stopped.status
    _conclude(result, plan, report, console)
    return 0


def _console(plan: Plan) -> Console:
    """Where the progress is shown and what is logged appears."""
    console = screen(stderr=True)
    if plan.streamed and sys.stdout.isatty():
        console.is_interactive = False  # rows and a bar would overwrite each other
    log_to(console)
    return console


def _conclude(result: BackfillResult, plan: Plan, report: Path | None, console: Console) -> None:
    """Print the summary; OutputLost, or UnreadableArchive when there was nothing to classify."""
    try:
        print_summary(result.stats, plan.shown, console if plan.streamed else None)
        if report is not None:
            screen().print(f"report: {report}", soft_wrap=True)
        sys.stdout.flush()
    except OutputLost as exc:
        raise OutputLost(f"{plan.shown} is complete, but its summary cannot be printed: {exc.message}") from exc
    if _is_vain(result):
        raise UnreadableArchive(
            f"none of the {result.stats.rows:,} rows has a text that can be classified (column error)"
        )


def _is_vain(result: BackfillResult) -> bool:
    """Whether there are rows and not one of them has a text to classify."""
    return set(result.stats.errors) == {InvalidInput.code} and not result.stats.labels


def stopped_sentence(plan: Plan, rows: int) -> str:
    """What a stop leaves; ``rows`` are written, 0 if the run was stopped before it knew."""
    after = f" after {rows:,} rows" if rows else ""
    if plan.streamed:
        return f"stopped{after}; what goes to standard output cannot be carried on: the same command begins anew"
    if not plan.folder.exists():
        return f"stopped{after}; nothing is left behind"
    command = "the same command without --restart" if plan.restart else "the same command"
    return f"stopped{after}; {command} carries on (its state: {plan.folder})"


def _classifier(
    settings: Settings, local: bool, lane: str, options: PredictionOptions, display: TerminalDisplay, stop: Stop
) -> AbstractContextManager[ClassifierClient]:
    if local:
        display.stage("loading the model")
        from sluice.cli.backfill.local import LocalClient

        return LocalClient(settings, stop, options, display.stage)
    return QueueClient(settings, lane=lane, options=options, note=display.note, stop=stop)


@contextmanager
def _target(plan: Plan) -> Iterator[Plan]:
    """``plan``; one that goes to standard output gets a folder for as long as it runs, since nobody can carry it on."""
    if not plan.streamed:
        yield plan
        return
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        yield replace(plan, target=Path(folder) / "output")


def _check_stream(output_format: str | None, report: Path | None) -> None:
    if output_format not in (None, *STREAMED):
        raise InvalidInput(
            f"{output_format} cannot go to standard output: --to takes {', '.join(STREAMED)} there, or name a file",
            {"field": "--to"},
        )
    if report is not None:
        raise InvalidInput("--report reads the finished output: name a file for it with -o", {"field": "--report"})


def _format(target: Path) -> str:
    found = STREAM_DEFAULT if target == STDOUT else format_of(target)
    if found is None:
        *most, last = map(suffix_of, FORMATS)
        endings = f"{', '.join(most)} or {last}"
        raise InvalidInput(
            f"{target} does not say which format is wanted: end it in {endings}, or give --to {'|'.join(FORMATS)}",
            {"field": "--to"},
        )
    return found


def _file(target: Path) -> Path:
    """The file that ``target`` stands for: a link to one shall not be replaced by another."""
    if target == STDOUT:
        return target
    try:
        if target.is_dir():
            raise UnwritableOutput(f"{target} is a folder: name a file in it")
        return target.resolve() if target.is_symlink() and target.is_file() else target
    except OSError as exc:
        raise UnwritableOutput(f"{target} cannot be written ({exc.strerror})") from exc


def _check_report(report: Path, target: Path) -> None:
    """An hour of work must not end in a report that cannot be written."""
    try:
        if report.resolve() == target.resolve():
            raise UnwritableOutput(f"{report} is the output: choose another name for the report")
        folder = report.absolute().parent
        if not report.is_dir() and folder.is_dir() and os.access(folder, os.W_OK):
            return
    except OSError as exc:
        raise UnwritableOutput(f"{report} cannot be written ({exc.strerror})") from exc
    raise UnwritableOutput(f"{report} cannot be written: it must be a file in a folder that can be written to")


def _pieces(classifier: ClassifierClient, local: bool, result: BackfillResult) -> CountPieces | None:
    """The tokenizer, if it is here and that of the one model that answered."""
    if not local:
        return None
    from sluice.cli.backfill.local import LocalClient

    assert isinstance(classifier, LocalClient)
    same = set(result.stats.versions) == {" ".join(classifier.version())}
    return classifier.count_pieces if same and classifier.counts_pieces else None


def _write_report(
    report: Path, plan: Plan, result: BackfillResult, include_text: bool, count_pieces: CountPieces | None
) -> None:
    from sluice.backfill.report.page.writer import write_report

    write_report(
        report,
        plan.target,
        plan.output_format,
        result.names,
        result.stats,
        title=_title(plan.inputs),
        include_text=include_text,
        count_pieces=count_pieces,
        words=words,
    )


def _title(inputs: tuple[str, ...]) -> str:
    """What the report is about, in a few words."""
    first = "standard input" if inputs[0] == "-" else Path(inputs[0]).name or inputs[0]
    return first if len(inputs) == 1 else f"{first} and {len(inputs) - 1} more"
