"""OpenTextShield checkpoints: versions, wrappers, prefixes, adapters, refusals."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.loader import load
from sluice.worker.model.opentextshield import read_state_dict, read_version
from sluice.worker.model.thresholds import Threshold
from tests.unit.worker.model.conftest import Settings, make_model


def settings(path: Path) -> Settings:
    return Settings(mbert_model_path=str(path))


def test_a_checkpoint_answers_with_three_labels(checkpoint: Path) -> None:
    model = load(settings(checkpoint))
    assert model.labels == ("ham", "spam", "phishing")
    assert model.info.version == "2.5"
    assert model.info.architecture == "bert-base-multilingual-cased"
    rows = model.forward(model.encode(["win a prize now", "ok"]))
    assert [len(row) for row in rows] == [3, 3]


def test_a_card_beside_a_checkpoint_calibrates_it(checkpoint: Path, tmp_path: Path) -> None:
    plain = load(settings(checkpoint))
    folder = tmp_path / "calibrated"
    shutil.copytree(checkpoint.parent, folder)
    (folder / "sluice.json").write_text('{"temperature": 3, "thresholds": {"phishing": {"block": 0.8}}}')
    model = load(settings(folder / checkpoint.name))
    assert (model.info.version, model.info.temperature) == ("2.5", 3.0)
    assert model.info.thresholds == {"phishing": Threshold(block=0.8)}
    batch = model.encode(["win a prize now"])
    assert max(model.forward(batch)[0]) < max(plain.forward(batch)[0])
    (folder / "sluice.json").write_text('{"temperature": 0}')
    with pytest.raises(ModelUnavailable, match=r"sluice\.json: temperature must be"):
        load(settings(folder / checkpoint.name))


def test_the_folder_of_a_single_checkpoint_will_do(checkpoint: Path) -> None:
    assert load(settings(checkpoint.parent)).info.version == "2.5"


@pytest.mark.parametrize("wrapper", ["model_state_dict", "state_dict", None])
def test_wrapped_and_prefixed_weights_are_the_same_weights(
    checkpoint: Path, tmp_path: Path, wrapper: str | None
) -> None:
    plain = torch.load(checkpoint, weights_only=True)
    prefixed = {f"module.{name}": value for name, value in plain.items()}
    prefixed["module.bert.embeddings.position_ids"] = torch.arange(128)
    path = tmp_path / "wrapped_3.1.pth"
    torch.save({wrapper: prefixed, "epoch": 4} if wrapper else prefixed, path)
    read = read_state_dict(path)
    assert read.keys() == plain.keys()
    assert all(torch.equal(read[name], plain[name]) for name in plain)


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("mbert_ots_model_2.5.pth", "2.5"),
        ("mbert_ots_model_2.pth", "2"),
        ("model-1.10.3.pth", "1.10.3"),
        ("model.pth", "unknown"),
    ],
)
def test_the_version_is_read_from_the_name(name: str, version: str) -> None:
    assert read_version(name) == version


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, ("raise SystemExit('ran')",))

    path = tmp_path / "evil_1.pth"
    torch.save({"bert": Payload()}, path)
    with pytest.raises(ModelUnavailable, match="not a readable checkpoint"):
        load(settings(path))


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04junk"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model_1.pth"
    path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match="SLUICE_MBERT_MODEL_PATH"):
        load(settings(path))


def test_other_contents_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model_1.pth"
    torch.save([1, 2, 3], path)
    with pytest.raises(ModelUnavailable, match="no state dict"):
        load(settings(path))
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(ModelUnavailable, match="not a BERT classifier"):
        load(settings(path))


def test_another_number_of_labels_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "model_1.pth"
    torch.save(make_model(90, {0: "a", 1: "b"}).state_dict(), path)
    with pytest.raises(ModelUnavailable, match="2 labels, 3 are needed"):
        load(settings(path))


def test_missing_weights_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "part"
    shutil.copytree(checkpoint.parent, folder)
    weights = torch.load(checkpoint, weights_only=True)
    del weights["bert.pooler.dense.weight"]
    torch.save(weights, folder / checkpoint.name)
    with pytest.raises(ModelUnavailable, match="does not fit"):
        load(settings(folder / checkpoint.name))


def test_an_adapter_without_peft_is_refused(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "adapted"
    shutil.copytree(checkpoint.parent, folder)
    (folder / "adapters_2.5").mkdir()
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ModelUnavailable, match="needs the package peft"):
        load(settings(folder / checkpoint.name))


def test_paths_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(ModelUnavailable, match="SLUICE_MBERT_MODEL_PATH"):
            load(settings(path))
    for name in ("a_1.pth", "b_2.pth"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ModelUnavailable, match="2 checkpoints"):
        load(settings(tmp_path))
