"""A run that is stopped, anyhow and anywhere, goes on to the same weights; another run's state is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from sluice.cli.train.command import train as command
from sluice.training.augment import MixOptions
from sluice.training.checkpoint import Checkpoint, StateError, differences, state_path
from sluice.training.data import Example
from sluice.training.fit import FitOptions
from sluice.training.options import TrainOptions
from sluice.training.pools import Pool
from sluice.training.record import Record
from sluice.training.train import Lessons, train
from sluice.training.watcher import Watcher

ROOT = Path(__file__).resolve().parents[3]
OPTIONS = TrainOptions(
    width=32,
    layers=1,
    heads=1,
    vocabulary=400,
    fit=FitOptions(epochs=3, batch=16, token_dropout=0.1, average=0.99, max_length=32),
    mix=MixOptions(templates=0.1, notices=0.1, spliced=0.0, teacher_share=0.0),
)


class Ended(Exception):
    """Stands for Ctrl-C."""


class EndsAfter(Watcher):
    """Ends a run after so many steps or epochs' ends, and hears what is said."""

    def __init__(self, checks: int) -> None:
        self.left = checks
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    def check(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Ended


def lessons(examples: list[Example]) -> Lessons:
    pool = Pool("validation", "data.csv", "0" * 64, tuple(examples[120:]))
    return Lessons(examples[:120], [pool], ("ham", "spam", "phishing"))


def run(
    examples: list[Example], folder: Path, options: TrainOptions = OPTIONS, ends_after: int = 0, resume: bool = False
) -> EndsAfter:
    record = Record(options.decisive(), {"data 1 (data.csv)": "0" * 64})
    checkpoint = Checkpoint(folder, record.decisive())
    watcher = EndsAfter(ends_after)
    train(lessons(examples), folder, options, record, checkpoint, checkpoint.read() if resume else None, watcher)
    return watcher


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "model.safetensors"))


@pytest.fixture(scope="module")
def whole(examples: list[Example], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "model"
    run(examples, folder)
    assert not state_path(folder).exists()
    return folder


@pytest.mark.parametrize("ends", [(1,), (5,), (10, 3), (11,), (12, 12)])
def test_parts_of_a_run_give_the_weights_of_a_whole_one(
    examples: list[Example], whole: Path, tmp_path: Path, ends: tuple[int, ...]
) -> None:
    folder = tmp_path / "model"
    for number, after in enumerate(ends):
        with pytest.raises(Ended):
            run(examples, folder, ends_after=after, resume=number > 0)
        assert not folder.exists()
    watcher = run(examples, folder, resume=True)
    assert any(line.startswith("Going on in epoch") for line in watcher.said)
    expected, got = weights(whole), weights(folder)
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    assert (whole / "training.json").read_text() == (folder / "training.json").read_text()
    assert not state_path(folder).exists()


def test_another_run_is_refused_by_what_differs(examples: list[Example], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with pytest.raises(Ended):
        run(examples, folder, ends_after=2)
    other = replace(OPTIONS, fit=replace(OPTIONS.fit, learning_rate=0.5), seed=2)
    with pytest.raises(StateError, match=r"seed was 1, is 2, learning-rate was 0\.001, is 0\.5\. Give what"):
        run(examples, folder, other, resume=True)
    state_path(folder).write_bytes(b"nothing")
    with pytest.raises(StateError, match="holds no state of a run"):
        run(examples, folder, resume=True)


def test_files_are_named_that_changed_came_or_went() -> None:
    former = {"files.data 1 (a.csv)": "1", "files.valid 1 (b.csv)": "2"}
    now = {"files.data 1 (a.csv)": "3", "files.feedback 1 (c.csv)": "4"}
    assert differences(former, now) == [
        "data 1 (a.csv) has changed",
        "feedback 1 (c.csv) was not there",
        "valid 1 (b.csv) was there",
    ]


def test_a_broken_save_leaves_the_state_before(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "model", {"options": {"seed": 1}})
    checkpoint.save({"step": 1})
    with pytest.raises(RuntimeError):
        checkpoint.save({"step": Unwritable()})
    state = checkpoint.read()
    assert state is not None
    assert state["step"] == 1


class Unwritable:
    """What cannot be pickled."""

    def __reduce__(self) -> Any:
        raise RuntimeError("not to be written")


ARGUMENTS = [
    "--epochs", "12", "--layers", "1", "--width", "32", "--vocabulary", "400", "--max-length", "32", "--batch", "16",
    "--no-teacher",
]  # fmt: skip


@pytest.mark.slow
def test_after_kill_9_the_same_command_goes_on(data_file: Path, tmp_path: Path) -> None:
    arguments = [str(data_file), *ARGUMENTS]
    process = subprocess.Popen(
        [sys.executable, "-m", "sluice.cli", "train", *arguments, "-o", str(tmp_path / "killed")],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not state_path(tmp_path / "killed").exists() and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not (tmp_path / "killed").exists()
    refused = CliRunner().invoke(command, [*arguments, "-o", str(tmp_path / "killed")])
    assert refused.exit_code == 1
    assert "give --resume to go on with it" in refused.output
    resumed = CliRunner().invoke(command, [*arguments, "-o", str(tmp_path / "killed"), "--resume"])
    assert resumed.exit_code == 0, resumed.output
    assert "Going on in epoch" in resumed.output
    at_once = CliRunner().invoke(command, [*arguments, "-o", str(tmp_path / "at-once"), "--resume"])
    assert at_once.exit_code == 0, at_once.output
    assert "training begins" in at_once.output
    first, second = weights(tmp_path / "killed"), weights(tmp_path / "at-once")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_patience_ends_a_run(examples: list[Example], tmp_path: Path) -> None:
    still = replace(OPTIONS, fit=replace(OPTIONS.fit, epochs=9, patience=2, learning_rate=1e-12))
    said = run(examples, tmp_path / "model", still).said
    assert "Ended early: no better for 2 epochs" in said
    assert sum(line.startswith("Epoch ") for line in said) == 3
