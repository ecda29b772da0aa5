"""Which model the settings mean, and what importing costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.labels import read_labels
from sluice.worker.model.loader import load
from tests.unit.worker.model.conftest import Settings

ROOT = Path(__file__).resolve().parents[4]


def test_a_spec_a_folder_and_a_checkpoint(model_folder: Path, checkpoint: Path) -> None:
    assert load(Settings("simulated:?batch_ms=0")).info.name == "simulated"
    assert load(Settings(str(model_folder))).info.name == model_folder.name
    assert load(Settings(str(checkpoint))).info.version == "2.5"
    assert load(Settings(str(model_folder), mbert_model_path=str(checkpoint))).info.version == "2.5"


def test_choosing_a_model_imports_no_library() -> None:
    code = (
        "import sys, worker.model.base, worker.model.loader, worker.model.simulated, cli.train.command, cli.evaluate;"
        "heavy = ('torch', 'transformers', 'tokenizers', 'sklearn', 'matplotlib');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["LABEL_0", "LABEL_1", "LABEL_2"], ("ham", "spam", "phishing")),
        (["LABEL_0", "LABEL_1"], ("ham", "spam")),
        (["Smishing", "Not Spam", "SPAM"], ("phishing", "ham", "spam")),
        (["spam", "fraud", "scam"], ("spam", "fraud", "scam")),
        (["toxic", "fine"], ("toxic", "fine")),
    ],
)
def test_labels(names: list[str], labels: tuple[str, ...]) -> None:
    assert read_labels(dict(enumerate(names))) == labels


@pytest.mark.parametrize("names", [["spam"], ["spam", "SPAM"], [f"LABEL_{n}" for n in range(4)]])
def test_labels_that_say_too_little(names: list[str]) -> None:
    with pytest.raises(ModelUnavailable):
        read_labels(dict(enumerate(names)))
