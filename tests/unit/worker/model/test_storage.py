"""Weights in fewer bits: the same model, nearly the same answers, and one sentence about what cannot be read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from sluice.config.settings import SMALL_MODEL
from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model import int8
from sluice.worker.model.golden import compare, golden_texts
from sluice.worker.model.huggingface import load_huggingface
from sluice.worker.model.storage import FILE, FORMAT, LEAST_NUMBERS, NUMBERS, SCALE, read, store
from tests.unit.worker.model.architectures import MAKERS, make
from tests.unit.worker.model.conftest import Settings

Bits = Literal[8, 16]


def copied(folder: Path, to: Path, bits: Bits | None = None) -> Path:
    shutil.copytree(folder, to)
    if bits is not None:
        store(to, bits)
    return to


@pytest.mark.parametrize(("bits", "labels", "difference"), [(16, 1.0, 0.002), (8, 0.995, 0.02)])
def test_the_shipped_model_answers_alike(tmp_path: Path, bits: Bits, labels: float, difference: float) -> None:
    folder = copied(SMALL_MODEL, tmp_path / "stored", bits)
    before, after = (load_huggingface(str(path), Settings()) for path in (SMALL_MODEL, folder))
    batch = before.encode(golden_texts())
    found = compare(torch.tensor(before.forward(batch)), torch.tensor(after.forward(batch)))
    assert found.labels >= labels
    assert found.difference <= difference
    assert (found.difference > 0) == (bits == 16)  # it is shipped in 8 bits, on whose steps it stays


@pytest.mark.parametrize(("bits", "steps"), [(16, 2**11), (8, 2 * 127)])
@pytest.mark.parametrize("name", MAKERS)
def test_every_weight_is_within_half_a_step(tmp_path: Path, name: str, bits: Bits, steps: int) -> None:
    make(name).save_pretrained(str(tmp_path))
    before = load_file(tmp_path / FILE)
    store(tmp_path, bits)
    after = read(tmp_path / FILE) or load_file(tmp_path / FILE)
    assert before.keys() == after.keys()
    for key, value in before.items():
        largest = value.abs().amax(dim=-1, keepdim=True)
        assert ((after[key] - value).abs() <= 1.001 * largest / steps).all(), key


def test_eight_bits_take_a_quarter_and_small_parts_stay_as_they_are(tmp_path: Path) -> None:
    model = make("bert", hidden_size=96, intermediate_size=384, vocab_size=4000)
    model.save_pretrained(str(tmp_path))
    full = (tmp_path / FILE).stat().st_size
    store(tmp_path, 8)
    assert (tmp_path / FILE).stat().st_size < 0.27 * full
    with safe_open(str(tmp_path / FILE), framework="pt") as file:
        assert file.metadata() == {"format": FORMAT, "version": "1"}
        names = set(file.keys())
    for name, value in model.state_dict().items():
        large = value.dim() == 2 and value.numel() >= LEAST_NUMBERS
        assert ({name + NUMBERS, name + SCALE} <= names, name in names) == (large, not large), name


@pytest.mark.parametrize("bits", [8, 16])
def test_storing_again_changes_nothing(tmp_path: Path, bits: Bits) -> None:
    make("bert").save_pretrained(str(tmp_path))
    store(tmp_path, bits)
    first = load_file(tmp_path / FILE)
    store(tmp_path, bits)
    again = load_file(tmp_path / FILE)
    for name, value in first.items():
        if name.endswith(SCALE):
            torch.testing.assert_close(again[name], value, rtol=1e-6, atol=0)
        else:
            assert torch.equal(again[name], value), name
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_int8_products_find_the_stored_steps_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a model stored in eight bits loses nothing by computing in them."""
    monkeypatch.setattr(int8, "has_vnni", lambda: True)
    packed: list[torch.Tensor] = []
    monkeypatch.setattr(torch.ops.onednn, "qlinear_prepack", lambda weight, _: packed.append(weight))
    make("bert").save_pretrained(str(tmp_path))
    store(tmp_path, 8)
    stored, weights = load_file(tmp_path / FILE), read(tmp_path / FILE)
    assert weights is not None
    names = [name.removesuffix(NUMBERS) for name in stored if name.endswith(NUMBERS)]
    assert names
    for name in names:
        int8.Int8Linear(weights[name], torch.zeros(len(weights[name])))
        assert torch.equal(packed.pop(), stored[name + NUMBERS]), name


def test_a_row_of_zeros_stays_one_and_numbers_of_other_kinds_are_kept(tmp_path: Path) -> None:
    matrix = torch.randn(64, 64)
    matrix[3] = 0
    save_file({"a": matrix, "ids": torch.arange(5000).view(50, 100), "b": torch.ones(3).half()}, tmp_path / FILE)
    store(tmp_path, 8)
    weights = read(tmp_path / FILE)
    assert weights is not None
    assert not weights["a"][3].any()
    assert weights["ids"].tolist() == torch.arange(5000).view(50, 100).tolist()
    assert weights["b"].dtype == torch.float32


@pytest.mark.parametrize(("bits", "value"), [(8, float("nan")), (8, float("inf")), (16, 1e5)])
def test_what_does_not_fit_is_refused_and_the_file_stays(tmp_path: Path, bits: Bits, value: float) -> None:
    save_file({"a.weight": torch.full((80, 80), value)}, tmp_path / FILE)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(ModelUnavailable, match=r"^a\.weight holds numbers [^\n]*$"):
        store(tmp_path, bits)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_program_that_does_not_know_the_storage_misses_the_weights(model_folder: Path, tmp_path: Path) -> None:
    folder = copied(model_folder, tmp_path / "stored", 8)
    report = AutoModelForSequenceClassification.from_pretrained(str(folder), output_loading_info=True)[1]
    assert "bert.embeddings.word_embeddings.weight" in report["missing_keys"]


def rewritten(path: Path, change: Callable[[dict[str, torch.Tensor], dict[str, str]], object]) -> None:
    tensors, facts = load_file(path), {"format": FORMAT, "version": "1"}
    change(tensors, facts)
    save_file(tensors, path, metadata=facts)


def pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 36001234\n")


NAME = "bert.embeddings.word_embeddings.weight"
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-100]), "cannot be loaded"),
    "header cut": (lambda path: path.write_bytes(path.read_bytes()[:100]), "cannot be loaded"),
    "empty": (lambda path: path.write_bytes(b""), "cannot be loaded"),
    "pointer": (pointer, "Git LFS pointer: run `git lfs pull`"),
    "newer": (lambda path: rewritten(path, lambda _, facts: facts.update(version="2")), "version 2 of its format"),
    "no scales": (
        lambda path: rewritten(path, lambda weights, _: weights.pop(NAME + SCALE)), f"no scales for {NAME}",
    ),
    "scales of another": (
        lambda path: rewritten(path, lambda weights, _: weights.update({NAME + SCALE: torch.ones(2)})),
        f"no scales for {NAME}",
    ),
    "a matrix lacks": (
        lambda path: rewritten(path, lambda weights, _: weights.pop(NAME + NUMBERS)), "lacks weights",
    ),
    "another shape": (
        lambda path: rewritten(
            path,
            lambda weights, _: weights.update(
                {NAME + NUMBERS: weights[NAME + NUMBERS][:5], NAME + SCALE: weights[NAME + SCALE][:5]}
            ),
        ),
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_cannot_be_read_is_told_in_one_sentence(model_folder: Path, tmp_path: Path, damage: str) -> None:
    folder = copied(model_folder, tmp_path / "stored", 8)
    harm, words = DAMAGES[damage]
    harm(folder / FILE)
    with pytest.raises(ModelUnavailable, match=r"^[^\n]*SLUICE_MODEL[^\n]*$") as error:
        load_huggingface(str(folder), Settings())
    assert words in str(error.value)


def test_there_is_nothing_to_store_without_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=FILE):
        store(tmp_path, 8)
