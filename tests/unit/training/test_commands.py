"""`sluice train` and `sluice evaluate`, from CSV to model folder and scores."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from sluice.cli.evaluate import evaluate
from sluice.cli.train.command import train
from sluice.training.data import Example
from tests.unit.worker.model.conftest import save_model

ROOT = Path(__file__).resolve().parents[3]
SHORT = ["--epochs", "2", "--max-length", "48"]
SMALL = [*SHORT, "--layers", "1", "--width", "32", "--vocabulary", "400", "--no-teacher"]


def run_train(data: Path, folder: Path, *extra: str) -> Result:
    return CliRunner().invoke(train, [str(data), "-o", str(folder), *SMALL, *extra])


def run_short(data: Path, folder: Path, *extra: str) -> Result:
    """Without the options of a model from nothing."""
    return CliRunner().invoke(train, [str(data), "-o", str(folder), *SHORT, *extra])


@pytest.fixture(scope="module")
def trained(data_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "model"
    result = run_train(data_file, folder, "--name", "tiny", "--model-version", "7", "--author", "tests")
    assert result.exit_code == 0, result.output
    assert "macro-F1" in result.output
    return folder


def test_a_model_folder_is_complete(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert names >= {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        "sluice.json", "metrics.json", "confusion.png", "README.md",
    }  # fmt: skip
    facts = json.loads((trained / "sluice.json").read_text())
    assert (facts["name"], facts["version"], facts["author"]) == ("tiny", "7", "tests")
    assert facts["metrics"]["macro_f1"] == json.loads((trained / "metrics.json").read_text())["macro_f1"]


def test_a_model_without_a_name_of_its_own_has_its_folders(data_file: Path, tmp_path: Path) -> None:
    result = run_train(data_file, tmp_path / "spam filter")
    assert result.exit_code == 0, result.output
    assert "as spam-filter 1." in " ".join(result.output.split())
    assert json.loads((tmp_path / "spam filter" / "sluice.json").read_text())["name"] == "spam-filter"
    assert (tmp_path / "spam filter" / "README.md").read_text().startswith("# spam-filter 1\n")


def test_the_same_command_gives_the_same_weights(trained: Path, data_file: Path, tmp_path: Path) -> None:
    assert run_train(data_file, tmp_path / "again").exit_code == 0
    first, again = (load_file(folder / "model.safetensors") for folder in (trained, tmp_path / "again"))
    assert first.keys() == again.keys()
    assert all(first[name].equal(again[name]) for name in first)
    assert (trained / "tokenizer.json").read_bytes() == (tmp_path / "again" / "tokenizer.json").read_bytes()
    assert run_train(data_file, tmp_path / "other", "--seed", "2").exit_code == 0
    other = load_file(tmp_path / "other" / "model.safetensors")
    assert not other["classifier.weight"].equal(first["classifier.weight"])


def test_evaluate_scores_the_folder(trained: Path, data_file: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(evaluate, [str(trained), str(data_file), "-o", str(tmp_path / "scores")])
    assert result.exit_code == 0, result.output
    assert "tiny 7" in result.output
    assert "fr" in result.output
    assert json.loads((tmp_path / "scores" / "metrics.json").read_text())["pools"]["data"]["messages"] == 160
    assert (tmp_path / "scores" / "confusion-data.png").is_file()


def test_a_pretrained_model_is_fine_tuned(data_file: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "base", {0: "x", 1: "y"})
    result = run_short(data_file, tmp_path / "tuned", "--base", str(tmp_path / "base"), "--vocabulary", "300")
    assert result.exit_code == 0, result.output
    scored = CliRunner().invoke(evaluate, [str(tmp_path / "tuned"), str(data_file)])
    assert scored.exit_code == 0, scored.output


def test_other_labels_will_do(tmp_path: Path) -> None:
    rows = [f"good day number {n},fine" if n % 2 else f"you awful thing {n},rude" for n in range(60)]
    data = tmp_path / "data.csv"
    data.write_text("body,kind\n" + "\n".join(rows) + "\n")
    result = run_train(data, tmp_path / "model", "--text-column", "body", "--label-column", "kind")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "model" / "config.json").read_text())["id2label"] == {"0": "fine", "1": "rude"}


def test_a_label_too_rare_for_teachers_does_without_them(tmp_path: Path) -> None:
    rows = [f"good day number {n},fine" for n in range(30)] + [f"you awful thing {n},rude" for n in range(3)]
    data = tmp_path / "data.csv"
    data.write_text("text,label\n" + "\n".join(rows) + "\n")
    result = run_train(data, tmp_path / "model", "--teacher")
    assert result.exit_code == 0, result.output
    assert "Without teachers" in result.output


def test_a_base_that_is_not_there_is_named(data_file: Path, tmp_path: Path) -> None:
    result = run_short(data_file, tmp_path / "model", "--base", str(tmp_path / "absent"))
    assert result.exit_code == 1
    assert "set --base to a folder" in str(result.exception)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,kind\nhi,ham\n", "no column 'label'"),
        ("text,label\nhi,ham\nyo,ham\n", "every label is 'ham'"),
        ("text,label\nhi,ham\nyo,spam\n", "one message only"),
    ],
)
def test_data_that_will_not_do_is_named(tmp_path: Path, content: str, words: str) -> None:
    data = tmp_path / "data.csv"
    data.write_text(content)
    result = run_train(data, tmp_path / "model")
    assert result.exit_code == 1
    assert words in result.output
    assert not (tmp_path / "model").exists()


def test_evaluate_refuses_labels_the_model_lacks(trained: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("text,label\nhi,ham\nyo,eggs\n")
    result = CliRunner().invoke(evaluate, [str(trained), str(data)])
    assert result.exit_code == 1
    assert "row 2" in result.output
    assert "eggs" in result.output


@pytest.mark.slow
def test_ctrl_c_ends_with_one_line(data_file: Path, tmp_path: Path, examples: list[Example]) -> None:
    command = [sys.executable, "-m", "sluice.cli", "train", str(data_file), "-o", str(tmp_path / "model")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*command, *SMALL, "--epochs", "4000"], cwd=tmp_path, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stderr.readline() if process.stderr else ""
    while "Epoch" not in line and process.poll() is None:
        line = process.stderr.readline() if process.stderr else ""
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "stopped; the state is in" in errors
    assert (tmp_path / "model.state").is_file()
    assert not (tmp_path / "model").exists()
