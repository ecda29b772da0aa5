"""The report on a classified archive: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import time
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from sluice.backfill.report import groups, palette, sections, weeks
from sluice.backfill.report.findings import Findings
from sluice.backfill.report.markup import MAX_NAME_CHARS, Markup, facts, join, paragraph, section, text, tile
from sluice.backfill.report.masking import Privacy
from sluice.backfill.report.names import ReportNames
from sluice.backfill.report.pieces import CountPieces, Pieces
from sluice.backfill.report.read import batches
from sluice.backfill.report.sections import Labels
from sluice.backfill.report.words import duration, minute, percent, plural, rate, rows, span
from sluice.backfill.tally import Tally
from sluice.backfill.whole import replace_whole
from sluice.tasks.errors import UnwritableOutput

#: Labels that get a tile each; with more of them, only so many.
TILES = 4
#: Nothing is loaded from anywhere and no script runs, whatever an archive holds.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_report(
    report: Path,
    target: Path,
    output_format: str,
    names: ReportNames,
    tally: Tally,
    *,
    title: str,
    include_text: bool,
    count_pieces: CountPieces | None = None,
) -> None:
    """Read the finished output ``target`` once and write a page about it; ``report`` appears whole or not at all.

    Args:
        names: which columns of ``target`` hold what.
        tally: of the backfill that wrote it.
        include_text: show examples of texts, and senders as they are; without it no text of any message is on the
            page and numbers of senders are masked.
        count_pieces: the tokenizer of the model that answered; None where it is elsewhere.

    Raises:
        UnreadableArchive: ``target`` is absent, broken or lacks a column.
        UnwritableOutput: ``report`` cannot be written, or it is ``target``.
    """
    if report.resolve() == target.resolve():
        raise UnwritableOutput(f"{report}: the report would overwrite the output")
    pieces = Pieces(count_pieces, tally.rows) if count_pieces is not None else None
    found = Findings(sorted(tally.labels), examples=include_text, pieces=pieces)
    for batch in batches(target, output_format, names):
        found.add(batch)
    privacy = Privacy(include_text, names.people)
    _write(report, _page(found, tally, title, target.name, privacy))


def _page(found: Findings, tally: Tally, title: str, output: str, privacy: Privacy) -> str:
    labels = Labels.of(found)
    body = join(
        [
            _header(found, tally, title, labels),
            _about(tally, output),
            _sections(found, tally, labels, privacy),
            sections.notes(tally),
            _footer(privacy),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{text(title)}</title>\n<style>\n{_css()}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _sections(found: Findings, tally: Tally, labels: Labels, privacy: Privacy) -> Markup:
    if not found.rows:
        return section("No rows", paragraph("The archive has no rows, so there is nothing to show."))
    return join(
        [
            sections.by_label(found, labels),
            sections.over_time(found, labels),
            weeks.drift(found, labels),
            sections.by_script(found, labels),
            sections.top_senders(found, labels, privacy.sender),
            groups.campaigns(found, labels),
            sections.certainty(found, labels),
            sections.throughput(tally, labels),
            sections.errors(found),
            sections.examples(found, labels),
        ]
    )


def _header(found: Findings, tally: Tally, title: str, labels: Labels) -> Markup:
    when = [rows(found.rows)]
    bars = found.timeline.bars(len(found.labels))
    if bars is not None:
        when.append(f"dated {span(*bars.span)}")
    when.append(f"made {minute(time.time())} UTC")
    tiles = [_count(found.rows, "row")]
    good = int(found.counts.sum())
    for number, name in list(zip(labels.order, labels.swatches, strict=True))[:TILES]:
        tiles.append(tile(percent(int(found.counts[number]), good), name))
    if tally.saved:
        tiles.append(tile(percent(tally.saved, tally.sent + tally.saved), "duplicates saved"))
    tiles.append(_count(found.errors.total(), "error"))
    tiles.append(tile(rate(tally.rows, tally.seconds), "rows/s"))
    return Markup(
        f'<header><h1>{text(title)}</h1>{paragraph(" · ".join(when))}</header>\n<div class="tiles">{join(tiles)}</div>'
    )


def _count(count: int, noun: str) -> Markup:
    number, noun = plural(count, noun).split()
    return tile(number, noun)


def _about(tally: Tally, output: str) -> Markup:
    """What was done, by whom, and how long it took."""
    models = tally.versions.most_common()
    several = len(models) > 1
    names = [f"{name[:MAX_NAME_CHARS]}{f' ({rows(count)})' if several else ''}" for name, count in models]
    stops = tally.runs - 1
    saved = f"{rows(tally.saved)} ({percent(tally.saved, tally.sent + tally.saved)})"
    pairs = [
        ("Output", output),
        ("Models" if several else "Model", ", ".join(names) or "none: no row got a label"),
        ("Time taken", f"{duration(tally.seconds)}, {rate(tally.rows, tally.seconds)} rows/s"),
        ("Sent to the model", rows(tally.sent)),
        ("Duplicates saved", f"{saved} with the text of another one" if tally.saved else "none"),
        ("Interruptions", f"{plural(stops, 'stop')}, carried on each time" if stops else "none"),
    ]
    return facts(pairs)


def _footer(privacy: Privacy) -> Markup:
    return Markup(f"<footer>{paragraph(privacy.sentence)}{paragraph('Made by Sluice.')}</footer>")


def _css() -> str:
    css = files("sluice.backfill.report").joinpath("report.css").read_text(encoding="utf-8")
    return css + "".join(_swatches())


def _swatches() -> Iterable[str]:
    """The colours of labels as classes ``l0``, ``l1``, …, and their lines as ``h1`` and ``h2``."""
    for colour, light in enumerate(palette.LIGHT.labels):
        yield f".l{colour} {{ --label: {light}; }}\n"
    dark = " ".join(f".l{colour} {{ --label: {value}; }}" for colour, value in enumerate(palette.DARK.labels))
    yield f"@media screen and (prefers-color-scheme: dark) {{ {dark} }}\n"
    yield ".h0 { background: var(--label); }\n"
    for number, angle in ((1, 135), (2, 45)):
        lines = f"repeating-linear-gradient({angle}deg, var(--label) 0 3px, var(--card) 3px 4px)"
        yield f".h{number} {{ background: {lines}; }}\n"


def _write(report: Path, page: str) -> None:
    try:
        replace_whole(report, page.encode())
    except OSError as exc:
        raise UnwritableOutput(f"{report}: the report cannot be written ({exc.strerror})") from exc
