"""The same text gets the same bits: alone, in any batch, at any place in it, with any number of threads."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

import pytest
import torch
from hypothesis import given, settings as hypothesis_settings, strategies as st
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from sluice.config.settings import SMALL_MODEL
from sluice.worker.model.blueprint import read
from sluice.worker.model.int8 import available
from sluice.worker.model.packed import PackedModel, packed_logits
from sluice.worker.model.steady import STEPS, row_step
from tests.unit.worker.model.architectures import MAKERS, POSITIONS, VOCABULARY, make

CPU = torch.device("cpu")
PRECISIONS = ("float32", "bfloat16", "int8")
#: A model with rows and heads as real ones have them.
WIDE = {"hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 12}


@pytest.fixture(autouse=True, params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@cache
def packed(name: str, precision: str) -> PackedModel:
    if name == "shipped":
        library = AutoModelForSequenceClassification.from_pretrained(str(SMALL_MODEL), dtype="float32").eval()
    else:
        library = make("bert", **WIDE) if name == "wide" else make(name)
    blueprint = read(library)
    assert blueprint is not None
    model = PackedModel(blueprint, int8=precision == "int8").eval()
    model = model.bfloat16() if precision == "bfloat16" else model
    model.row_step = row_step(model)
    return model


def logits(name: str, precision: str, batch: list[list[int]]) -> Tensor:
    if precision == "int8" and not available():
        pytest.skip("NOT TESTED: this build of torch has no integer product for this processor")
    with torch.inference_mode():
        return packed_logits(packed(name, precision), batch, CPU)


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", [*MAKERS, "wide", "shipped"])
@hypothesis_settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_neighbours_and_places_change_no_bit(name: str, precision: str, data: st.DataObject) -> None:
    rng = random.Random(data.draw(st.integers(0, 9999), "ids"))
    size = data.draw(st.integers(1, 256), "messages")
    longest = data.draw(st.sampled_from((2, 9, 30, POSITIONS)), "longest")
    batch = [[rng.randrange(VOCABULARY) for _ in range(rng.randint(1, longest))] for _ in range(size)]
    together = logits(name, precision, batch)
    chosen = rng.sample(range(size), min(size, 6))
    for row in chosen:
        assert torch.equal(logits(name, precision, [batch[row]])[0], together[row])
    assert torch.equal(logits(name, precision, [batch[row] for row in chosen]), together[chosen])
    order = rng.sample(range(size), size)
    assert torch.equal(logits(name, precision, [batch[row] for row in order]), together[order])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_number_of_threads_changes_no_bit(precision: str) -> None:
    rng = random.Random(3)
    batch = [[rng.randrange(VOCABULARY) for _ in range(rng.randint(1, POSITIONS))] for _ in range(40)]
    found = logits("wide", precision, batch)
    torch.set_num_threads(3)
    assert torch.equal(logits("wide", precision, batch), found)


class FewRowsOtherwise(torch.nn.Linear):
    """Stands in for a library that multiplies fewer than `few` rows by another kernel."""

    few = 0

    def forward(self, inputs: Tensor) -> Tensor:
        result = super().forward(inputs)
        return result if len(inputs) >= self.few else result + len(inputs) / 1000


@pytest.mark.parametrize(("few", "step"), [(0, STEPS[0]), (9, 16), (33, 64), (10**9, STEPS[-1])])
def test_the_rows_are_as_many_as_the_products_need(few: int, step: int, caplog: pytest.LogCaptureFixture) -> None:
    linear = FewRowsOtherwise(64, 32)
    linear.few = few
    assert row_step(torch.nn.Sequential(torch.nn.Linear(64, 64), linear)) == step
    assert bool(caplog.records) == (few > 1000)
