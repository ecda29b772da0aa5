"""Corrections: read like data, kept out of what the model is judged by, and continued from a version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sluice.cli.train.command import train
from sluice.training.data import Columns, DataError, Example
from sluice.training.distill import TeacherModel
from sluice.training.feedback import Correction, join, read_corrections
from sluice.worker.model.loader import load
from tests.unit.training.conftest import write_csv

LABELS = ("ham", "spam", "phishing")
ROWS = """text,label,answered,version,at
Your table is booked for eight,ham,spam,1.0,2026-11-30
Your table is  booked for EIGHT,ham,phishing,1.0,2026-11-30
Pay the toll at t0ll.example now,phishing,ham,1.0,2026-11-30
"""


def read(tmp_path: Path, content: str) -> list[Correction]:
    file = tmp_path / "corrections.csv"
    file.write_text(content)
    return read_corrections([file], LABELS, Columns())


def test_a_text_that_comes_again_counts_once(tmp_path: Path) -> None:
    corrections = read(tmp_path, ROWS)
    assert [(one.label, one.answered) for one in corrections] == [("ham", "spam"), ("phishing", "ham")]
    assert read(tmp_path, ROWS.replace("answered", "predicted")) == corrections


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,label\nhi there,ham\n", "no column 'answered' .or 'predicted'."),
        ("text,answered\nhi there,ham\n", "no column 'label'"),
        ("text,label,answered\nhi there,eggs,ham\n", "row 1 .* unknown label 'eggs' in column 'label'"),
        ("text,label,answered\nhi there,ham,eggs\n", "row 1 .* unknown label 'eggs' in column 'answered'"),
        ("text,label,answered\nhi there,ham,\n", "the column 'answered' is empty"),
        (
            "text,label,answered\nhi,ham,spam\nHI,spam,ham\n",
            "row 2 .* label 'spam', but 'ham' for that text in .*row 1",
        ),
        ("text,label,answered\n", "no rows"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(tmp_path, content)


def test_corrections_overrule_the_data_and_stay_out_of_the_validation(tmp_path: Path) -> None:
    data = [Example("your table is booked for eight", "spam"), Example("see you", "ham")]
    valid = [Example("PAY the toll at t0ll.example now", "phishing")]
    joined = join(data, read(tmp_path, ROWS), valid, 3)
    assert [(one.text, one.label, one.reviewed) for one in joined.data] == [
        ("see you", "ham", False),
        *[("Your table is booked for eight", "ham", True)] * 3,
    ]
    assert (len(joined.corrections), joined.held_out, joined.overruled) == (1, 1, 1)


SHORT = ["--max-length", "32", "--no-teacher", "--batch", "16"]


def run(data: Path, folder: Path, *extra: str) -> Result:
    return CliRunner().invoke(train, [str(data), "-o", str(folder), *SHORT, *extra])


@pytest.fixture(scope="module")
def version(data_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first") / "model"
    result = run(data_file, folder, "--epochs", "6", "--layers", "1", "--width", "32", "--vocabulary", "400")
    assert result.exit_code == 0, result.output
    return folder


def answer(folder: Path, text: str) -> str:
    """The service's label."""
    classifier = load(TeacherModel(str(folder), 32, "cpu"))
    (probabilities,) = classifier.forward(classifier.encode([text]))
    return classifier.labels[probabilities.index(max(probabilities))]


def test_a_version_is_continued_with_corrections(version: Path, data_file: Path, tmp_path: Path) -> None:
    (tmp_path / "corrections.csv").write_text(ROWS)
    result = run(
        data_file, tmp_path / "model", "--from", str(version), "--feedback", str(tmp_path / "corrections.csv"),
        "--feedback-weight", "50", "--learning-rate", "0.01", "--epochs", "6",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    output = " ".join(result.output.split())
    assert "2 corrections are learned from" in output
    right = sum(answer(tmp_path / "model", one.text) == one.label for one in read(tmp_path, ROWS))
    assert f"Of 2 corrections the model gets {right} right; 0 had been answered rightly" in output
    facts = json.loads((tmp_path / "model" / "training.json").read_text())
    assert facts["corrections"] == {"learned": 2, "right_before": 0, "right": right}
    assert facts["options"]["continued"] == "model"
    assert "feedback 1 (corrections.csv)" in facts["files"]
    assert (tmp_path / "model" / "tokenizer.json").read_bytes() == (version / "tokenizer.json").read_bytes()
    config = [json.loads((folder / "config.json").read_text()) for folder in (version, tmp_path / "model")]
    assert {**config[0], "dtype": "float32"} == config[1]


def test_a_version_is_continued_at_a_quarter_of_its_rates(version: Path, data_file: Path, tmp_path: Path) -> None:
    rates = []
    for folder, origin in ((tmp_path / "second", version), (tmp_path / "third", tmp_path / "second")):
        result = run(data_file, folder, "--from", str(origin), "--epochs", "1")
        assert result.exit_code == 0, result.output
        fit = json.loads((folder / "training.json").read_text())["options"]["fit"]
        rates.append((fit["learning_rate"], fit["freeze"], fit["layer_decay"]))
    assert rates == [(pytest.approx(0.0003), None, 1.0)] * 2


def test_other_labels_cannot_be_continued(version: Path, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "data.csv", [Example(f"text {n}", "fine" if n % 2 else "rude") for n in range(30)])
    result = run(data, tmp_path / "model", "--from", str(version))
    assert result.exit_code == 1
    assert "tells ham, spam, phishing apart, the data fine, rude" in str(result.exception)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--from", "a", "--vocabulary", "400"], "is continued as it is"),
        (["--from", "a", "--head", "mean"], "is continued as it is"),
        (["--keep-layers", "2"], "there is no base to keep layers of"),
        (["--freeze", "some"], "neither a number of layers"),
        (["--width", "40"], "multiple of 32"),
    ],
)
def test_options_that_do_not_go_together(data_file: Path, tmp_path: Path, extra: list[str], words: str) -> None:
    result = run(data_file, tmp_path / "model", *extra)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
