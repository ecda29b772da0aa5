"""What a trained model is called: by its folder or its option, fit for URLs, never as the shipped one."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from sluice.cli.train.command import train
from sluice.config.settings import SMALL_MODEL
from sluice.training.names import checked, model_name


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("model", "model"),
        ("runs/spam-2026.1", "spam-2026.1"),
        ("my model (new)", "my-model-new"),
        ("modèle", "modele"),
        ("x" * 80, "x" * 64),
        ("sms-mini-2", "sms-mini-2"),
    ],
)
def test_a_model_is_called_by_its_folder(folder: str, name: str) -> None:
    assert model_name(None, Path(folder)) == name


def test_the_folder_may_be_the_one_we_are_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert model_name(None, Path()) == "here"


@pytest.mark.parametrize("given", ["sms-mini", "SMS-Mini", "sms-base"])
def test_the_shipped_models_name_is_taken(given: str) -> None:
    with pytest.raises(ValueError, match="Sluice's own model"):
        model_name(given, Path("model"))


@pytest.mark.parametrize("folder", ["模型", "...", "/"])
def test_a_folder_without_a_name_asks_for_one(folder: str) -> None:
    with pytest.raises(ValueError, match="give one"):
        model_name(None, Path(folder))


@pytest.mark.parametrize(
    "word", ["", " ", "a b", "a/b", "../x", "-x", ".x", "a\n", "x" * 65, "naïve", "a?b", "a%2Fb", "a:b"]
)
def test_names_that_urls_cannot_hold_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(word))):
        checked(word)


@pytest.mark.parametrize("word", ["a", "1.0", "my_model-2", "2026-11-30+cpu"])
def test_names_stand_in_urls_as_they_are(word: str) -> None:
    assert quote(checked(word), safe="+") == word


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--name", "a/b"], "--name"),
        (["--name", "sms-mini"], "--name"),
        (["--name", ""], "--name"),
        (["-o", "sms-mini"], "--name"),
        (["-o", str(SMALL_MODEL)], "--output"),
        (["--model-version", "1 beta"], "--model-version"),
        (["--author", "me\n# you"], "--author"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_computed(options: list[str], hint: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(train, [str(tmp_path / "absent.csv"), *options])
    assert result.exit_code == 2
    assert f"Invalid value for {hint}:" in result.output
