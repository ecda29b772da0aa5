"""What is counted in the one pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sluice.backfill.outputs.registry import open_writer
from sluice.backfill.report import read, scripts
from sluice.backfill.report.findings import OTHER_ERROR, Findings, unwanted_of
from tests.unit.backfill.report.outputs import COLUMNS, NAMES, Line, failure, row


def gathered(folder: Path, rows: list[Line], labels: list[str]) -> Findings:
    writer = open_writer("csv", folder / "out", COLUMNS, None)
    writer.write(rows)
    writer.finish()
    found = Findings(labels)
    for batch in read.batches(folder / "out", "csv", NAMES):
        found.add(batch)
    return found


@pytest.mark.parametrize("batch_rows", [1, 3, 1000])
def test_batches_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int) -> None:
    monkeypatch.setattr(read, "BATCH_ROWS", batch_rows)
    rows = [row(at, ("ham", "spam")[at % 4 == 0], text=("hello", "สวัสดี", "12")[at % 3]) for at in range(24)]
    rows += [failure(), failure(), failure("model_failed"), (None, None, None, None, None, "What now?")]
    found = gathered(tmp_path, rows, ["ham", "phishing"])
    assert (found.rows, found.labels, found.counts.tolist()) == (28, ["ham", "phishing", "spam"], [18, 0, 6])
    assert found.errors == {"invalid_input": 2, "model_failed": 1, OTHER_ERROR: 1}
    assert found.bins.sum(axis=0).tolist() == [0] * 10 + [5, 5, 5, 5, 4] + [0] * 5
    assert found.unsure.sum(axis=0).tolist() == [10, 24]
    assert found.by_script is not None
    by_script = {scripts.NAMES[at]: found.by_script[at].tolist() for at in np.flatnonzero(found.by_script.any(axis=1))}
    assert by_script == {"Latin": [6, 0, 2], "Thai": [6, 0, 2], "no letters": [6, 0, 2]}
    bars = found.timeline.bars(3)
    assert bars is not None
    assert bars.counts.sum(axis=0).tolist() == [18, 0, 6]
    assert found.times is not None
    assert (found.times.read, found.times.missing) == (24, 4)


def test_probabilities_at_the_ends_are_in_the_first_and_the_last_bin(tmp_path: Path) -> None:
    found = gathered(tmp_path, [row(1, probability=value) for value in (0.0, 1.0, 0.6, 0.8)], ["ham"])
    assert (found.bins[0, 0], found.bins[0, -1]) == (1, 1)
    assert found.unsure.tolist() == [[1, 2]]


def test_senders_are_counted_with_what_nobody_wants(tmp_path: Path) -> None:
    rows = [row(at, ("ham", "spam", "phishing")[at % 3], sender=("A", "B")[at % 2]) for at in range(12)]
    rows += [row(1, "ham", sender=None), failure()]
    found = gathered(tmp_path, rows, ["ham", "phishing", "spam"])
    assert found.senders is not None
    assert {one.name: (one.rows, one.unwanted) for one in found.senders.busiest(9)} == {"A": (6, 4), "B": (6, 4)}
    assert found.unnamed == 1


@pytest.mark.parametrize(
    ("labels", "unwanted"),
    [
        (["ham", "spam", "phishing"], {"spam", "phishing"}),
        (["Legit", "Smishing"], {"Smishing"}),
        (["normal", "gambling", "loan"], {"gambling", "loan"}),
        (["news", "sport"], set()),
        (["ham"], set()),
        ([], set()),
    ],
)
def test_which_labels_nobody_wants(labels: list[str], unwanted: set[str]) -> None:
    assert unwanted_of(labels) == unwanted
