"""The backfill's measurements: what they make of what they saw, and one small run of each."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from sluice.bench import backfill, forward_log, memory
from sluice.bench.backfill import Alone, Case
from sluice.bench.results import Results
from sluice.bench.statistics import Row
from sluice.harness import archives
from sluice.worker.model.simulated import SimulatedClassifier, SimulatedOptions

FAST = "simulated:?batch_ms=0.1&message_us=0"


# The log of forwards


def test_the_first_text_that_counts_is_logged_once_and_every_forward(tmp_path: Path) -> None:
    out = io.StringIO()
    model = forward_log.watch(SimulatedClassifier(SimulatedOptions(0, 0)), out, forward_log.digest("the first"))
    model.forward(model.encode(["warm", "up"]))
    model.forward(model.encode(["the first", "another"]))
    model.forward(model.encode(["the first"]))
    (tmp_path / "log").write_text(out.getvalue() + "forward 1.0 2.")
    log = forward_log.read(tmp_path / "log")
    assert [size for _, _, size in log.forwards] == [2, 2, 1]
    assert log.sizes() == [2, 1]
    assert log.first is not None
    assert log.forwards[0][1] <= log.first <= log.forwards[1][0]
    assert "the first" not in out.getvalue()


def test_a_device_that_works_ahead_is_busy_from_the_submission_until_the_answer() -> None:
    class Ahead(SimulatedClassifier):
        def submit(self, batch: Any) -> Any:
            return batch

        def collect(self, handle: Any) -> Any:
            return SimulatedClassifier.forward(self, handle)

        def forward(self, batch: Any) -> Any:
            return self.collect(self.submit(batch))

    out = io.StringIO()
    model = forward_log.watch(Ahead(SimulatedOptions(0, 0)), out, "")
    first, second = model.submit([[1, 0]]), model.submit([[2, 0], [3, 0]])
    assert [len(model.collect(one)) for one in (first, second)] == [1, 2]
    model.forward([[1, 0]])
    assert [line.split()[3] for line in out.getvalue().splitlines()] == ["1", "2", "1"]


def test_time_in_which_two_forwards_overlap_counts_once() -> None:
    log = forward_log.ForwardLog(10.0, [(8.0, 11.0, 64), (10.5, 12.0, 64), (14.0, 20.0, 64)])
    assert log.busy_s(until=15.0) == pytest.approx(1.0 + 1.0 + 1.0)


def test_a_log_becomes_figures() -> None:
    row = backfill.figures(
        forward_log.ForwardLog(10.0, [(9.0, 9.5, 3), (10.0, 12.0, 64), (12.0, 13.0, 32)]), 96, 7.0, 14.0
    )
    assert row["rows_per_s"] == 24
    assert row["model_busy"] == 0.75
    assert row["mean_batch"] == 48
    with pytest.raises(RuntimeError, match="never saw"):
        backfill.figures(forward_log.ForwardLog(), 96, 7.0, 14.0)


# The forward alone


def test_the_forward_alone_takes_every_text_once_in_its_parts() -> None:
    alone = Alone([f"text {number}" for number in range(1_000)], {"model": FAST, "max_batch_size": 16}, parts=3)
    seen: list[int] = []
    forward = alone._model.forward
    alone._model.forward = lambda batch: (seen.append(len(batch)), forward(batch))[1]  # type: ignore[method-assign,func-returns-value]
    for _ in range(3):
        alone.take()
    assert sum(seen) == 1_000
    assert seen == [16] * 62 + [8]
    assert alone.rate() == pytest.approx(1_000 / alone.seconds)


# Reports


def written(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_report_has_each_way_with_its_share(tmp_path: Path) -> None:
    rows: list[Row] = []
    for run, rate in ((1, 90.0), (2, 110.0), (3, 100.0)):
        for way, share in (("forward", 1.0), ("redis", 0.9), ("local", 0.95)):
            more = {"seconds": 1.0, "wall_s": 2.0, "model_busy": 0.9, "mean_batch": 60.0}
            rows.append({"run": run, "case": "mbert", "way": way, "rows": 100, **more})
            rows[-1] |= {"rows_per_s": share * rate, "share": share}
    backfill.report(rows, Results(tmp_path))
    table = {row["way"]: row for row in written(tmp_path, "backfill.csv")}
    assert (table["forward"]["rows_per_s"], table["forward"]["target"]) == ("100", "")
    assert (table["redis"]["rows_per_s"], table["redis"]["share"], table["redis"]["target"]) == ("90", "0.9", "0.95")
    assert (table["redis"]["rows_per_s_min"], table["redis"]["rows_per_s_max"]) == ("81", "99")
    assert len(written(tmp_path, "backfill_runs.csv")) == 9
    assert (tmp_path / "backfill_mbert.png").stat().st_size > 8_000


def test_the_growth_of_memory_is_from_the_second_longest_archive_to_the_longest(tmp_path: Path) -> None:
    watched = memory.Watched([0.0, 1.0, 2.0], [50.0, 80.0, 81.0], [60.0] * 3, [0, 5, 1], [0, 900, 256], [1.0] * 3)
    rows = [
        {"run": 1, "rows": count, **memory.figures(watched, count), "watched": watched} for count in (10, 100, 1000)
    ]
    rows[2]["client_mib"] = 81.0 * 1.05
    rows[0]["client_mib"] = 10.0
    memory.report(rows, Results(tmp_path))
    assert [row["client_mib"] for row in written(tmp_path, "memory.csv")] == ["10", "81", "85.05"]
    assert written(tmp_path, "memory.csv")[0]["broker_messages"] == "900"
    growth = {row["process"]: float(row["growth"]) for row in written(tmp_path, "memory_growth.csv")}
    assert growth == pytest.approx({"client": 0.05, "worker": 0.0})
    assert (tmp_path / "memory.png").stat().st_size > 8_000


def test_the_texts_of_an_envelope_are_counted_from_its_header() -> None:
    assert memory.messages(json.dumps({"headers": {"argsrepr": "classify(256 messages)"}}).encode()) == 256
    assert memory.messages(json.dumps({"headers": {"argsrepr": "classify(1 message)"}}).encode()) == 1


# Small real runs


@pytest.mark.usefixtures("redis_installed")
def test_each_way_from_an_archive_to_its_output(tmp_path: Path) -> None:
    archive = archives.write(tmp_path / "in.csv", 1_000)
    case = Case("simulated", archive, ("redis", "local", backfill.PEER), 100, {"model": FAST, "max_batch_size": 16})
    rows = backfill.run([case], runs=1, note=lambda line: None)
    assert [(row["way"], row["rows"]) for row in rows] == [
        ("forward", 1_000),
        ("redis", 1_000),
        ("local", 1_000),
        ("celery-batches", 100),
    ]
    assert all(row["rows_per_s"] > 0 and 0 < row["model_busy"] <= 1 for row in rows)
    assert all(0 < row["mean_batch"] <= 64 for row in rows)


@pytest.mark.usefixtures("redis_installed")
def test_a_real_backfill_s_memory_and_broker() -> None:
    (row,) = memory.run(rows=(3_000,), model="simulated:?batch_ms=3&message_us=20", note=lambda line: None)
    assert row["client_mib"] > 20
    assert row["worker_mib"] > 20
    assert row["broker_messages"] <= 256 * row["broker_envelopes"]
    assert row["rows_per_s"] == pytest.approx(3_000 / row["seconds"])


def test_an_output_without_all_rows_is_no_result(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("id,label\n1,ham\n2,\n")
    for rows in (2, 3):
        with pytest.raises(RuntimeError, match="2 rows, 1 without a label"):
            backfill.check(target, rows)
    target.write_text("id,label\n1,ham\n2,spam\n")
    backfill.check(target, 2)
