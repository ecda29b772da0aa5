"""The mean of several runs is a model of the same shape, and runs that do not fit are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sluice.training.average import average
from sluice.training.data import DataError


def run(folder: Path, value: float, config: str = "{}") -> Path:
    folder.mkdir()
    card = '{"name": "one", "temperature": 2.0}'
    for name, text in (("config.json", config), ("tokenizer.json", "{}"), ("sluice.json", card)):
        (folder / name).write_text(text)
    (folder / "training.json").write_text(json.dumps({"options": {"seed": value}}))
    weights = {"matrix": torch.full((2, 3), value), "bias": torch.tensor([value, -value])}
    save_file({name: tensor.half() for name, tensor in weights.items()}, str(folder / "model.safetensors"))
    return folder


def test_weights_are_the_mean_and_the_record_names_every_run(tmp_path: Path) -> None:
    folders = [run(tmp_path / f"seed{value}", float(value)) for value in (1, 2, 6)]
    average(folders, tmp_path / "out")
    weights = load_file(str(tmp_path / "out" / "model.safetensors"))
    assert weights["matrix"].tolist() == [[3.0] * 3] * 2
    assert weights["bias"].tolist() == [3.0, -3.0]
    assert weights["bias"].dtype == torch.float16
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert [record["averaged"][f"seed{value}"]["options"]["seed"] for value in (1, 2, 6)] == [1, 2, 6]
    assert json.loads((tmp_path / "out" / "sluice.json").read_text()) == {"name": "one"}


def test_another_shape_is_refused(tmp_path: Path) -> None:
    folders = [run(tmp_path / "a", 1.0), run(tmp_path / "b", 2.0, '{"hidden_size": 64}')]
    with pytest.raises(DataError, match=r"b: its config\.json is not that of"):
        average(folders, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_or_absent_file_is_named(tmp_path: Path) -> None:
    folders = [run(tmp_path / "a", 1.0), run(tmp_path / "b", 2.0)]
    (folders[1] / "model.safetensors").write_bytes(b"version https://git-lfs")
    with pytest.raises(DataError, match=r"b/model\.safetensors: cannot be read"):
        average(folders, tmp_path / "out")
    (folders[1] / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"b/tokenizer\.json: cannot be read"):
        average(folders, tmp_path / "out")


def test_one_run_has_no_mean(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Two folders"):
        average([run(tmp_path / "a", 1.0)], tmp_path / "out")
