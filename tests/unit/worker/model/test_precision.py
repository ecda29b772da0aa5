"""Number formats: what the settings decide, what `auto` finds, and int8 answers that keep to themselves."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model import int8, precision
from sluice.worker.model.blueprint import read
from sluice.worker.model.golden import answers, compare, golden_texts
from sluice.worker.model.huggingface import load_huggingface
from sluice.worker.model.int8 import Int8Linear
from sluice.worker.model.packed import PackedModel, packed_logits
from sluice.worker.model.steady import row_step
from tests.unit.worker.model.architectures import MAKERS, make
from tests.unit.worker.model.conftest import Settings

CPU = torch.device("cpu")
CUDA = torch.device("cuda:0")
SHIPPED = str(Path(__file__).resolve().parents[4] / "models" / "sms-mini")


def test_what_the_settings_decide() -> None:
    assert precision.required("auto", True, CUDA, True) == "float16"
    assert precision.required("auto", False, CUDA, True) == "float32"
    assert precision.required("auto", True, CPU, False) == "float32"
    assert precision.required("auto", True, CPU, True) is None
    assert precision.required("fp16", True, CUDA, False) == "float16"
    assert precision.required("fp32", True, CUDA, False) == "float32"
    assert precision.required("bf16", True, CPU, False) == "bfloat16"
    assert precision.required("int8", True, CPU, True) == "int8"


@pytest.mark.parametrize(
    ("name", "device", "packed"), [("fp16", CPU, True), ("int8", CUDA, True), ("int8", CPU, False)]
)
def test_what_cannot_be_is_refused_in_one_sentence(name: str, device: torch.device, packed: bool) -> None:
    with pytest.raises(ModelUnavailable, match=f"^SLUICE_PRECISION={name} .*: set SLUICE_PRECISION to [^\n]*$"):
        precision.required(name, True, device, packed)


def test_a_build_without_the_integer_product_has_no_int8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "available", lambda: False)
    assert "int8" not in precision.candidates()
    with pytest.raises(ModelUnavailable, match="build of torch"):
        precision.required("int8", True, CPU, True)


@pytest.mark.parametrize("name", ["fp32", "bf16", "int8"])
def test_a_model_says_what_it_runs_in(name: str) -> None:
    full = load_huggingface(SHIPPED, Settings(precision="fp32"))
    classifier = load_huggingface(SHIPPED, Settings(precision=name))
    assert classifier.precision == precision.NAMES[name]
    batch = classifier.encode(golden_texts())
    found = compare(torch.tensor(full.forward(batch)), torch.tensor(classifier.forward(batch)))
    assert found.labels >= precision.LEAST_AGREEMENT
    assert found.difference < 0.1
    assert (found.difference == 0) == (name == "fp32")


def test_int8_is_refused_for_a_padded_model(model_folder: Path) -> None:
    with pytest.raises(ModelUnavailable, match="SLUICE_PRECISION=int8 needs a model that runs packed"):
        load_huggingface(str(model_folder), Settings(precision="int8", packed=False))


@pytest.mark.parametrize(
    "vnni",
    [pytest.param(True, marks=pytest.mark.skipif(not int8.has_vnni(), reason="sums would overflow 16 bits")), False],
)
@pytest.mark.parametrize("shape", [(1, 8, 16), (37, 64, 24), (200, 96, 96)])
def test_the_product_is_near_the_exact_one(
    shape: tuple[int, int, int], vnni: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "has_vnni", lambda: vnni)
    torch.manual_seed(1)
    tokens, inputs, outputs = shape
    rows = torch.randn(tokens, inputs) * torch.logspace(-3, 3, tokens)[:, None]
    weight, bias = torch.randn(outputs, inputs) * torch.logspace(-2, 1, outputs)[:, None], torch.randn(outputs)
    exact = torch.nn.functional.linear(rows, weight)
    error = (Int8Linear(weight, bias)(rows) - bias - exact).abs()
    scale = rows.norm(dim=1)[:, None] * weight.norm(dim=1)
    assert (error / scale).max() < (0.02 if vnni else 0.03)


def test_a_row_of_zeros_gives_the_bias_and_no_finite_row_hides_one_that_is_not() -> None:
    linear = Int8Linear(torch.randn(4, 8), torch.arange(4.0))
    out = linear(torch.stack([torch.zeros(8), torch.full((8,), float("nan")), torch.ones(8)]))
    torch.testing.assert_close(out[0], torch.arange(4.0))
    assert not out[1].isfinite().any()
    assert out[2].isfinite().all()


@pytest.mark.parametrize("name", MAKERS)
def test_int8_answers_do_not_depend_on_their_company(name: str) -> None:
    blueprint = read(make(name))
    assert blueprint is not None
    model = PackedModel(blueprint, int8=True)
    model.row_step = row_step(model)
    rng = random.Random(4)
    batch = [[rng.randrange(2, 200) for _ in range(rng.randint(1, 60))] for _ in range(12)]
    with torch.inference_mode():
        together = packed_logits(model, batch, CPU)
        alone = torch.cat([packed_logits(model, [ids], CPU) for ids in batch])
    assert torch.equal(together, alone)


def test_int8_keeps_its_weights_once() -> None:
    blueprint = read(make("bert"))
    assert blueprint is not None
    names = [name for name, _ in PackedModel(blueprint, int8=True).named_parameters()]
    assert not [name for name in names if "layers" in name and "norm" not in name]


@pytest.mark.parametrize(
    ("full_s", "cheap_s", "spoilt", "verdict"),
    [
        (0.3, {"int8": 0.1}, False, "precision int8: int8 is 3.0 times as fast"),
        (0.3, {"int8": 0.1}, True, "precision float32: int8 is 3.0 times as fast"),
        (0.3, {"int8": 0.29}, False, "precision float32: int8 would be only"),
        (0.003, {"int8": 0.001}, False, "precision float32: the model is light"),
        (0.3, {}, False, "precision float32: this processor"),
        (0.3, {"bfloat16": 0.1}, False, "precision bfloat16: bfloat16 is 3.0 times as fast"),
        (0.3, {"bfloat16": 0.1, "int8": 0.15}, False, "precision bfloat16: bfloat16 is 3.0 times as fast, "),
        (0.3, {"bfloat16": 0.15, "int8": 0.1}, False, "precision int8: bfloat16 is 2.0 times as fast, "),
        (0.3, {"bfloat16": 0.15, "int8": 0.1}, True, "precision bfloat16: bfloat16 is 2.0 times as fast, "),
        (0.3, {"bfloat16": 0.4, "int8": 0.1}, False, "precision int8: bfloat16 would be only 0.75 times as fast; int8"),
    ],
    ids=[
        "pays", "disagrees", "no faster", "light", "no units", "bfloat16", "bfloat16 before int8",
        "int8 before bfloat16", "the faster disagrees", "the other is slower",
    ],
)  # fmt: skip
def test_auto_takes_the_fastest_that_pays_and_agrees(
    full_s: float,
    cheap_s: dict[str, float],
    spoilt: bool,
    verdict: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    times = iter((full_s, *cheap_s.values()))
    monkeypatch.setattr(precision, "candidates", lambda: tuple(cheap_s))
    monkeypatch.setattr(precision, "_forward_s", lambda *_: next(times))
    if spoilt:
        monkeypatch.setattr(Int8Linear, "forward", lambda self, inputs: inputs.new_zeros(len(inputs), len(self._scale)))
    with caplog.at_level(logging.INFO):
        classifier = load_huggingface(SHIPPED, Settings(precision="auto"))
    (record,) = [record for record in caplog.records if record.name == "sluice.worker.model.precision"]
    assert record.getMessage().startswith(verdict)
    assert classifier.precision == verdict.split()[1].rstrip(":")


def test_auto_without_a_fast_product_stays_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((1.0, 0.01))
    monkeypatch.setattr(precision, "_seconds", lambda _: next(times))
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    assert load_huggingface(SHIPPED, Settings(precision="auto")).precision == "float32"


def test_golden_texts_are_many_short_and_of_many_scripts() -> None:
    texts = golden_texts()
    assert len(texts) >= 200
    assert len(set(texts)) == len(texts)
    assert max(map(len, texts)) < 400
    scripts = (
        (0x0400, 0x04FF),
        (0x0600, 0x06FF),
        (0x0900, 0x097F),
        (0x0E00, 0x0E7F),
        (0x3040, 0x30FF),
        (0xAC00, 0xD7AF),
    )
    for first, last in scripts:
        assert any(first <= ord(letter) <= last for text in texts for letter in text)


def test_agreement_counts_labels_and_finds_the_largest_difference() -> None:
    found = compare(torch.tensor([[0.9, 0.1], [0.4, 0.6]]), torch.tensor([[0.7, 0.3], [0.55, 0.45]]))
    assert found.labels == 0.5
    assert found.difference == pytest.approx(0.2)


def test_answers_come_in_order_over_several_batches() -> None:
    def logits(batch: Sequence[list[int]]) -> torch.Tensor:
        return torch.tensor([[float(len(ids)), 0.0] for ids in batch])

    first = answers(logits, [[1] * size for size in range(1, 100)])[:, 0]
    assert first.shape == (99,)
    assert (first.diff() >= 0).all()
