"""Model folders: labels, facts, probabilities, and clear refusals."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
import torch

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.huggingface import load_huggingface
from sluice.worker.model.torch_classifier import TorchClassifier, choose_device, pad
from tests.unit.worker.model.conftest import Settings, make_tokenizer, save_model

TEXTS = ["win a prize now", "ok", "see you at the station, call me later ok ok ok"]


@pytest.fixture(scope="module")
def classifier(model_folder: Path) -> TorchClassifier:
    return load_huggingface(str(model_folder), Settings())


def test_labels_are_brought_to_one_spelling(classifier: TorchClassifier) -> None:
    assert classifier.labels == ("ham", "spam", "phishing")
    assert (classifier.device, classifier.precision, classifier.padded) == ("cpu", "float32", False)


def test_padding_does_not_change_answers(classifier: TorchClassifier) -> None:
    batch = classifier.encode(TEXTS)
    together = torch.tensor(classifier.forward(batch))
    alone = torch.tensor([classifier.forward([ids])[0] for ids in batch])
    assert together.shape == (3, 3)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(together.sum(dim=1), torch.ones(3))


def test_answers_are_those_of_the_library(classifier: TorchClassifier, model_folder: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(model_folder))
    model = AutoModelForSequenceClassification.from_pretrained(str(model_folder)).eval()
    with torch.inference_mode():
        expected = torch.softmax(model(**tokenizer(TEXTS[0], return_tensors="pt")).logits, -1)[0]
    torch.testing.assert_close(torch.tensor(classifier.forward(classifier.encode(TEXTS[:1]))[0]), expected)


@pytest.mark.parametrize("packed", [True, False])
def test_a_temperature_softens_every_answer_and_keeps_its_bits_in_any_batch(
    model_folder: Path, tmp_path: Path, packed: bool
) -> None:
    folder = tmp_path / "calibrated"
    shutil.copytree(model_folder, folder)
    plain = load_huggingface(str(folder), Settings(packed=packed))
    (folder / "sluice.json").write_text('{"temperature": 2.5}')
    soft = load_huggingface(str(folder), Settings(packed=packed))
    batch = soft.encode(TEXTS)
    with torch.inference_mode():
        expected = torch.softmax(plain.logits(batch).float() / 2.5, dim=-1)
    assert torch.equal(torch.tensor(soft.forward(batch)), expected)
    assert not torch.equal(torch.tensor(plain.forward(batch)), expected)
    if packed:
        assert [soft.forward([ids])[0] for ids in batch] == soft.forward(batch)


def test_an_empty_batch_is_no_rows(classifier: TorchClassifier) -> None:
    assert classifier.forward([]) == []
    classifier.warm_up(4)


def test_texts_are_cut_to_the_limit_and_to_the_positions_of_the_model(model_folder: Path) -> None:
    for limit, expected in ((8, 8), (500, 128)):
        model = load_huggingface(str(model_folder), Settings(max_text_length=limit))
        assert len(model.encode(["ok " * 600])[0]) == expected


def test_facts_come_from_the_card_and_then_from_the_config(model_folder: Path, tmp_path: Path) -> None:
    bare = load_huggingface(str(model_folder), Settings()).info
    assert (bare.name, bare.architecture) == (model_folder.name, "BertForSequenceClassification")
    folder = tmp_path / "named"
    shutil.copytree(model_folder, folder)
    (folder / "sluice.json").write_text(json.dumps({"name": "n", "version": 3, "author": "a", "last_training": "d"}))
    info = load_huggingface(str(folder), Settings()).info
    assert (info.name, info.version, info.author, info.last_training) == ("n", "3", "a", "d")
    (folder / "sluice.json").write_text("{broken")
    with pytest.raises(ModelUnavailable, match=r"named/sluice\.json is not JSON"):
        load_huggingface(str(folder), Settings())


@pytest.mark.parametrize("lost", ["config.json", "model.safetensors"])
def test_an_incomplete_folder_is_refused(model_folder: Path, tmp_path: Path, lost: str) -> None:
    folder = tmp_path / "part"
    shutil.copytree(model_folder, folder)
    (folder / lost).unlink()
    with pytest.raises(ModelUnavailable, match="SLUICE_MODEL"):
        load_huggingface(str(folder), Settings())


def test_damaged_weights_are_refused(model_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(model_folder, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        load_huggingface(str(folder), Settings())


def test_a_model_without_a_head_is_refused(model_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "headless"
    shutil.copytree(model_folder, folder)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: value for name, value in weights.items() if "classifier" not in name},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(ModelUnavailable, match="no trained classification head"):
        load_huggingface(str(folder), Settings())


def test_labels_that_cannot_be_told_are_refused(tmp_path: Path) -> None:
    save_model(tmp_path, {number: f"LABEL_{number}" for number in range(5)})
    with pytest.raises(ModelUnavailable, match="5 labels"):
        load_huggingface(str(tmp_path), Settings())


@pytest.mark.parametrize("spec", ["/nowhere/at/all", "./missing", "a/b/c", "not a name"])
def test_a_missing_folder_is_named(spec: str) -> None:
    with pytest.raises(ModelUnavailable, match="SLUICE_MODEL") as error:
        load_huggingface(spec, Settings())
    assert spec in str(error.value)


def test_an_unknown_hub_id_fails_soon_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi

    def no_network(*_: object, **__: object) -> None:
        raise ConnectionError("no network in tests")

    monkeypatch.setattr(HfApi, "model_info", no_network)
    began = time.perf_counter()
    with pytest.raises(ModelUnavailable, match="not in the local cache"):
        load_huggingface("sluice-tests/no-such-model", Settings())
    assert time.perf_counter() - began < 30


def test_a_hub_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi

    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: time.sleep(3))
    monkeypatch.setattr("sluice.worker.model.hub.PROBE_TIMEOUT_S", 0.2)
    with pytest.raises(ModelUnavailable, match="did not answer"):
        load_huggingface("sluice-tests/no-such-model", Settings())


@pytest.mark.parametrize("name", ["gpu", "mps", "meta", "cpu:x"])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(ModelUnavailable, match="SLUICE_DEVICE"):
        choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_an_absent_device_is_refused() -> None:
    assert choose_device("auto").type == "cpu"
    for name in ("cuda", "cuda:1"):
        with pytest.raises(ModelUnavailable, match="SLUICE_DEVICE"):
            choose_device(name)


def test_errors_of_the_device_are_told_apart(classifier: TorchClassifier) -> None:
    full = RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
    lost = RuntimeError("CUDA error: an illegal memory access was encountered")
    bug = RuntimeError("shapes do not match")
    assert [classifier.is_out_of_memory(error) for error in (full, lost, bug, MemoryError())] == [
        True,
        False,
        False,
        True,
    ]
    assert [classifier.is_fatal(error) for error in (full, lost, bug)] == [False, True, False]


def test_pad_marks_what_is_real() -> None:
    ids, mask = pad([[5, 6, 7], [8]], 0)
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_the_vocabulary_of_the_fixture_knows_its_sentences() -> None:
    assert make_tokenizer().encode("call me later").tokens == ["[CLS]", "call", "me", "later", "[SEP]"]
