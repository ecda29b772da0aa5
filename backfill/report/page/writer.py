"""The report on a classified archive: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from sluice.backfill.files.atomic import atomic_write
from sluice.backfill.report.findings import Findings
from sluice.backfill.report.masking import Privacy
from sluice.backfill.report.names import ReportNames
from sluice.backfill.report.page.campaigns import campaigns
from sluice.backfill.report.page.certainty import certainty
from sluice.backfill.report.page.counts import counts
from sluice.backfill.report.page.drift import drift
from sluice.backfill.report.page.errors import errors
from sluice.backfill.report.page.examples import examples
from sluice.backfill.report.page.labels import MAX_NAME_CHARS, Labels
from sluice.backfill.report.page.notes import Notes
from sluice.backfill.report.page.overtime import over_time
from sluice.backfill.report.page.render import rendered
from sluice.backfill.report.page.scripts import by_script
from sluice.backfill.report.page.senders import top_senders
from sluice.backfill.report.page.throughput import throughput
from sluice.backfill.report.page.view import Nothing, Page, Section, Tile
from sluice.backfill.report.pieces import CountPieces, Pieces
from sluice.backfill.report.read import batches
from sluice.backfill.report.words import duration, minute, percent, plural, rate, rows, span
from sluice.backfill.run.stats import RunStats
from sluice.tasks.errors import UnwritableOutput
from sluice.tasks.sentence import Words

#: Labels that get a tile each; with more of them, only so many.
TILES = 4


def write_report(
    report: Path,
    target: Path,
    output_format: str,
    names: ReportNames,
    stats: RunStats,
    *,
    title: str,
    include_text: bool,
    count_pieces: CountPieces | None = None,
    words: Words = str,
) -> None:
    """Read the finished output ``target`` once and write a page about it; ``report`` appears whole or not at all.

    Args:
        names: which columns of ``target`` hold what.
        stats: of the backfill that wrote it.
        include_text: show examples of texts, and senders as they are; without it no text of any message is on the
            page and numbers of senders are masked.
        count_pieces: the tokenizer of the model that answered; None where it is elsewhere.
        words: how options are called where the page is read.

    Raises:
        UnreadableArchive: ``target`` is absent, broken or lacks a column.
        UnwritableOutput: ``report`` cannot be written, or it is ``target``.
    """
    if report.resolve() == target.resolve():
        raise UnwritableOutput(f"{report}: the report would overwrite the output")
    pieces = Pieces(count_pieces, stats.rows) if count_pieces is not None else None
    found = Findings(sorted(stats.labels), examples=include_text, pieces=pieces)
    for batch in batches(target, output_format, names):
        found.add(batch)
    privacy = Privacy(include_text, names.people)
    _write(report, rendered(_page(found, stats, title, target.name, privacy), words))


def _page(found: Findings, stats: RunStats, title: str, output: str, privacy: Privacy) -> Page:
    labels = Labels.of(found)
    return Page(
        title,
        _subtitle(found),
        list(_tiles(found, stats, labels)),
        _about(stats, output),
        list(_sections(found, stats, labels, privacy)),
        privacy.sentence,
    )


def _sections(found: Findings, stats: RunStats, labels: Labels, privacy: Privacy) -> Iterator[Section]:
    if found.rows:
        yield counts(found, labels)
        yield over_time(found, labels)
        yield drift(found, labels)
        yield by_script(found, labels)
        yield top_senders(found, labels, privacy.sender)
        yield campaigns(found, labels)
        yield certainty(found, labels)
        yield throughput(stats, labels)
        yield errors(found)
        if found.examples is not None:
            yield examples(found.examples, labels)
    else:
        yield Nothing("No rows", "The archive has no rows, so there is nothing to show.")
    if stats.notes:
        yield Notes(stats.notes)


def _subtitle(found: Findings) -> str:
    parts = [rows(found.rows)]
    bars = found.timeline.bars(len(found.labels))
    if bars is not None:
        parts.append(f"dated {span(*bars.span)}")
    parts.append(f"made {minute(time.time())} UTC")
    return " · ".join(parts)


def _tiles(found: Findings, stats: RunStats, labels: Labels) -> Iterator[Tile]:
    yield _count(found.rows, "row")
    good = int(found.counts.sum())
    for number, label in list(zip(labels.order, labels.swatches, strict=True))[:TILES]:
        yield Tile(percent(int(found.counts[number]), good), label)
    if stats.saved:
        yield Tile(percent(stats.saved, stats.sent + stats.saved), "duplicates saved")
    yield _count(found.errors.total(), "error")
    yield Tile(rate(stats.rows, stats.seconds), "rows/s")


def _count(count: int, noun: str) -> Tile:
    number, noun = plural(count, noun).split()
    return Tile(number, noun)


def _about(stats: RunStats, output: str) -> list[tuple[str, str]]:
    """What was done, by whom, and how long it took."""
    models = stats.versions.most_common()
    several = len(models) > 1
    names = [f"{name[:MAX_NAME_CHARS]}{f' ({rows(count)})' if several else ''}" for name, count in models]
    stops = stats.runs - 1
    saved = f"{rows(stats.saved)} ({percent(stats.saved, stats.sent + stats.saved)})"
    return [
        ("Output", output),
        ("Models" if several else "Model", ", ".join(names) or "none: no row got a label"),
        ("Time taken", f"{duration(stats.seconds)}, {rate(stats.rows, stats.seconds)} rows/s"),
        ("Sent to the model", rows(stats.sent)),
        ("Duplicates saved", f"{saved} with the text of another one" if stats.saved else "none"),
        ("Interruptions", f"{plural(stops, 'stop')}, carried on each time" if stops else "none"),
    ]


def _write(report: Path, page: str) -> None:
    try:
        atomic_write(report, page.encode())
    except OSError as exc:
        raise UnwritableOutput(f"{report}: the report cannot be written ({exc.strerror})") from exc
