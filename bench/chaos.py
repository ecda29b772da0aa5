"""The kill matrix of the backfill, in full: ``make chaos-backfill``, or ``python -m sluice.bench.chaos [--seed N]``.

On Redis with an append-only file and on RabbitMQ, with the shipped model: one undisturbed backfill, then others whose
own process, worker or broker is killed (``kill -9``) at random rows, or which are stopped with Ctrl-C; the same
command carries on. Every output must be the undisturbed one's: the same rows in the same order with the same labels,
equal probabilities, no row twice. Ends with status 1 if one is not.

The disturbed ones write a checkpoint every 0.05 s in place of two seconds, so that kills fall between many of them.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.bench.environment import without_own_settings
from sluice.bench.progress import progress
from sluice.bench.results import Results, print_table
from sluice.bench.statistics import Row
from sluice.harness.chaos import SLUICE, Stage, Trial, differences, faults, read_rows, write_archive

BROKERS = ("redis", "rabbitmq")
#: Rows that may wait for one that is lost. With as many as there may be, the rest of the archive is there at once when
#: it has been sent again, and the kills that are left would find a backfill that is done.
WINDOW = ("--window", "2048")


@dataclass(frozen=True)
class Act:
    """A backfill into one format, and how many of each fault happen to it."""

    form: str
    kills: dict[str, int]


MIXED = {"backfill": 2, "interrupt": 1, "worker": 1, "broker": 1}
ACTS = (
    Act("csv", {"backfill": 5}),
    Act("csv", {"worker": 3}),
    Act("csv", {"broker": 2}),
    Act("csv", {"interrupt": 3}),
    Act("jsonl", MIXED),
    Act("parquet", MIXED),
    Act("sqlite", MIXED),
)


def run(
    *,
    rows: int,
    seed: int,
    brokers: Sequence[str] = BROKERS,
    acts: Sequence[Act] = ACTS,
    note: Callable[[str], None] = progress,
) -> list[Row]:
    """A row per broker and act; ``wrong`` says what is wrong with its output, and is empty when nothing is."""
    found: list[Row] = []
    with without_own_settings(), tempfile.TemporaryDirectory(prefix="sl-chaos-") as name:
        archive = write_archive(Path(name, "in.csv"), rows)
        for broker in brokers:
            note(f"{broker}: the undisturbed backfill of {rows:,} rows")
            folder = Path(name, broker)
            folder.mkdir()
            wanted, seconds = _undisturbed(folder, broker, archive)
            note(f"{broker}: {seconds:.1f} s")
            for number, act in enumerate(acts):
                place = folder / str(number)
                place.mkdir()
                row = {"broker": broker, "format": act.form, **_act(place, broker, archive, act, seed + number, wanted)}
                found.append({**row, "undisturbed_s": seconds})
                note(f"{broker}: {act.form}: {row['wrong'] or 'the same output'}, {row['seconds']:.1f} s")
    return found


def _undisturbed(folder: Path, broker: str, archive: Path) -> tuple[list[dict[str, Any]], float]:
    place = folder / "clean"
    place.mkdir()
    with Stage(place, broker) as stage:
        trial = Trial(stage, archive, place / "out.csv", SLUICE)
        trial.run()
        rows = read_rows(trial.target)
        if [row["id"] for row in rows] != [row["id"] for row in read_rows(archive)]:
            raise RuntimeError("the undisturbed backfill's output has not the rows of the archive")
        return rows, trial.seconds


def _act(
    place: Path, broker: str, archive: Path, act: Act, seed: int, wanted: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """One disturbed backfill on servers of its own, so that nothing of an earlier one helps it or hinders it."""
    planned = faults(seed, len(wanted), act.kills)
    with Stage(place, broker) as stage:
        trial = Trial(stage, archive, place / f"out.{act.form}", options=WINDOW)
        try:
            trial.run(planned, lambda line: progress(f"  {broker}: {line}"))
            wrong = differences(wanted, read_rows(trial.target))
            if trial.left_behind:
                wrong.append(f"left behind: {', '.join(trial.left_behind)}")
        except (RuntimeError, TimeoutError) as exc:
            wrong = [str(exc)]
    if len(trial.struck) < len(planned):
        wrong.append(f"{len(planned) - len(trial.struck)} kills missed it: give it more --rows")
    return {
        "kills": ", ".join(f"{what} {count}" for what, count in act.kills.items()),
        "at_rows": " ".join(str(rows) for _, rows in trial.struck),
        "seconds": trial.seconds,
        "wrong": "; ".join(wrong),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sluice.bench.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, help="of the points; default: another one each time")
    parser.add_argument("--broker", choices=BROKERS, help="that one only")
    parser.add_argument("--out", type=Path, default=Path("bench-results/chaos"))
    options = parser.parse_args(argv)
    seed = random.randrange(100_000) if options.seed is None else options.seed
    progress(f"seed {seed}: `python -m sluice.bench.chaos --seed {seed}` kills at the same rows")
    brokers = (options.broker,) if options.broker else BROKERS
    results = Results(options.out, measurement="chaos", seed=seed, rows=options.rows)
    rows = run(rows=options.rows, seed=seed, brokers=brokers)
    results.table("chaos", rows)
    print_table(
        "Backfills that were killed, beside an undisturbed one", [{**r, "wrong": r["wrong"][:60]} for r in rows]
    )
    bad = [row for row in rows if row["wrong"]]
    print(f"{len(rows) - len(bad)} of {len(rows)} outputs are the undisturbed one's (seed {seed})")
    for row in bad:
        print(f"{row['broker']} {row['format']} {row['kills']}: {row['wrong']}")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
