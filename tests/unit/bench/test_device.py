"""The measurement of the forward alone: its arithmetic, and a run over a tiny model."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from sluice.bench import device, onnx_export
from sluice.bench.flops import Shape, shape_of
from sluice.bench.forwards import Contender
from sluice.bench.models import mbert_folder
from sluice.bench.results import Results
from sluice.bench.statistics import Row
from sluice.harness import texts

MBERT = Shape(layers=12, hidden=768)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mbert_folder(tmp_path_factory.mktemp("bench") / "m", layers=1, hidden=32, heads=2, rows=5000)


@pytest.fixture(scope="module")
def rows(model: Path) -> list[Row]:
    loaded = texts.load(count=10, distinct=True)
    return device.run(
        loaded, model=model, runs=2, device="cpu", sizes=(1, 8), threads=1, with_onnx=False, note=lambda line: None
    )


def answer(batch: Sequence[list[int]]) -> list[list[float]]:
    return [[1.0, 0.0] if sum(ids) % 2 else [0.0, 1.0] for ids in batch]


def test_a_token_of_mbert_costs_what_the_literature_says() -> None:
    assert MBERT.flops([1]) == pytest.approx(0.17e9, rel=0.01)
    assert MBERT.flops([28] * 10) == pytest.approx(10 * MBERT.flops([28]))
    assert MBERT.flops([96]) > 96 * MBERT.flops([1])


def test_the_shape_is_read_from_the_folder(model: Path) -> None:
    assert shape_of(model) == Shape(layers=1, hidden=32)


def test_batches_hold_every_message_once() -> None:
    ids = [[1] * length for length in (5, 2, 9, 3, 7)]
    assert device.batches(ids, 2, "random") == [ids[0:2], ids[2:4], ids[4:]]
    assert [[len(row) for row in batch] for batch in device.batches(ids, 2, "sorted")] == [[2, 3], [5, 7], [9]]


def test_padding_is_counted_only_where_there_is_some() -> None:
    work = [[[1] * 2, [1] * 6]]
    padded, packed = (Contender("x", "fp32", answer, padded=kind) for kind in (True, False))
    assert device.measure(padded, work, MBERT, warm=False)["padding"] == pytest.approx(1 / 3)
    assert device.measure(packed, work, MBERT, warm=False)["padding"] == 0


class Device:
    """Works on its own; remembers what it was asked in which order."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def submit(self, batch: Sequence[list[int]]) -> int:
        self.asked.append(f"submit {batch[0][0]}")
        return batch[0][0]

    def collect(self, handle: int) -> list[list[float]]:
        self.asked.append(f"collect {handle}")
        return []


def test_the_next_batch_is_submitted_before_the_last_is_collected() -> None:
    ahead = Device()
    Contender("x", "fp16", answer, padded=False, ahead=ahead).run([[[1]], [[2]], [[3]]])
    assert ahead.asked == ["submit 1", "submit 2", "collect 1", "submit 3", "collect 2", "collect 3"]


def test_agreement_counts_labels_and_the_largest_difference() -> None:
    def other(batch: Sequence[list[int]]) -> list[list[float]]:
        return [[0.75, 0.25] for _ in batch]

    found = device.agreement(answer, other, [[1], [2], [3], [4]], size=3)
    assert found == {"messages": 4, "labels_agree": 0.5, "largest_difference": 0.75}


def test_every_contender_runs_in_every_order_at_every_size(rows: list[Row]) -> None:
    contenders = {row["contender"] for row in rows}
    assert {"packed fp32", "transformers fp32"} <= contenders
    assert len(rows) == 2 * 2 * 2 * len(contenders)
    assert all(row["messages_per_s"] > 0 and row["peak_share"] > 0 for row in rows)
    random = [row for row in rows if row["contender"] == "transformers fp32" and row["batch"] == 8]
    assert {row["order"] for row in random} == {"random", "sorted"}


def test_without_time_nothing_is_measured_and_that_is_said(model: Path) -> None:
    said: list[str] = []
    loaded = texts.load(count=4)
    small = partial(device.run, model=model, device="cpu", sizes=(4,), threads=1, with_onnx=False)
    assert small(loaded, runs=1, budget_s=-1, note=said.append) == []
    assert any("no time left" in line for line in said)


def test_the_cost_is_fitted_over_sizes() -> None:
    rows = [
        {"contender": "x", "batch": size, "computed_tokens": 10.0 * size, "batch_ms": 2 + 0.05 * 10 * size}
        for size in (1, 8, 64)
    ]
    (cost,) = device.costs(rows)
    assert (cost["batch_ms"], cost["token_us"]) == (pytest.approx(2), pytest.approx(50))
    assert device.costs(rows[:1]) == []


def test_ratios_compare_medians_within_the_run() -> None:
    def line(contender: str, rate: float) -> Row:
        return {"contender": contender, "order": "random", "batch": 64, "messages_per_s": rate, "messages_per_cpu_s": 1}

    rows = [line("packed fp32", rate) for rate in (10, 30, 99)] + [line("transformers fp32", 10)]
    (ratio,) = device.ratios(rows)
    assert (ratio["of_medians"], ratio["of_cpu"], ratio["target"]) == (3, 1, 3.0)


def test_a_report_is_a_folder_that_says_how_it_was_made(rows: list[Row], tmp_path: Path) -> None:
    device.report(rows, Results(tmp_path, measurement="device"))
    with (tmp_path / "device.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(rows)
    files = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert {"device_summary.csv", "cost.csv", "ratios.csv", "device_by_batch.png", "device_orders.png"} <= set(files)


def test_onnx_runtime_computes_the_same(model: Path, tmp_path: Path) -> None:
    if onnx_export.missing():
        pytest.skip(onnx_export.missing())
    from sluice.worker.model.torch_classifier import choose_device

    said: list[str] = []
    with device.contenders(model, choose_device("cpu"), 8, True, said.append) as found:
        ways = {contender.name: contender.forward for contender in found}
        ids = [[2, 7, 8, 3], [2, 9, 3], [2, 5, 6, 7, 8, 9, 3]]
        close = device.agreement(ways["ONNX Runtime fp32"], ways["transformers fp32"], ids)
        assert close["largest_difference"] < 1e-5
        assert len(ways["ONNX Runtime int8"](ids)) == 3
