"""Batches submitted ahead, on a CPU: the same code as on CUDA, with a loop over the sequences for the kernel."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings as hypothesis_settings, strategies as st
from torch import Tensor
from torch.nn import functional

from sluice.worker.model.ahead import AheadClassifier
from sluice.worker.model.base import BATCHES_AHEAD, ModelInfo
from sluice.worker.model.blueprint import read
from sluice.worker.model.buckets import MOST_TOKENS, Bucket, choose, exact, ladder
from sluice.worker.model.encoder import TextEncoder
from sluice.worker.model.layout import lay_out
from sluice.worker.model.packed import PackedModel
from tests.unit.worker.model.architectures import MAKERS, expected, make
from tests.unit.worker.model.conftest import make_tokenizer

LONGEST = 40
CPU = torch.device("cpu")


def attend(query: Tensor, key: Tensor, value: Tensor, of_queries: Tensor, of_keys: Tensor, *longest: int) -> Tensor:
    """What `torch.nn.attention.varlen.varlen_attn` computes, with its promises checked."""
    assert of_queries.dtype == of_keys.dtype == torch.int32
    assert len(of_queries) == len(of_keys)
    assert int(of_queries.diff().max()) <= longest[0]
    assert int(of_keys.diff().max()) <= longest[1]
    out = torch.full_like(query, float("nan"))
    pairs = zip(
        of_queries.tolist()[:-1], of_queries.tolist()[1:], of_keys.tolist()[:-1], of_keys.tolist()[1:], strict=True
    )
    for begin, end, first, last in pairs:
        if last > first:
            asked, keys, values = (
                part.transpose(0, 1) for part in (query[begin:end], key[first:last], value[first:last])
            )
            out[begin:end] = functional.scaled_dot_product_attention(asked, keys, values).transpose(0, 1)
    return out


def classifier(library: Any, max_batch: int = 0, temperature: float = 1.0) -> AheadClassifier:
    blueprint = read(library)
    assert blueprint is not None
    encoder = TextEncoder(make_tokenizer(), LONGEST, 0, 1)
    info = ModelInfo("n", "v", "a", "b", "t", temperature)
    made = AheadClassifier(PackedModel(blueprint), encoder, "abc", info, CPU, "float32", attend)
    if max_batch:
        made.warm_up(max_batch)
    return made


def test_the_temperature_is_part_of_what_is_recorded() -> None:
    library = make("bert")
    batch = [[2, 7, 9, 3], [2, 4, 3]]
    soft = classifier(library, max_batch=4, temperature=2.0)
    plain = torch.tensor(classifier(library, max_batch=4).forward(batch), dtype=torch.float64)
    rooted = plain.sqrt() / plain.sqrt().sum(dim=1, keepdim=True)  # softmax at twice the temperature
    torch.testing.assert_close(torch.tensor(soft.forward(batch), dtype=torch.float64), rooted, atol=1e-6, rtol=0)


def batch_of(rng: random.Random, count: int, longest: int = LONGEST) -> list[list[int]]:
    return [[rng.randrange(2, 200) for _ in range(rng.randint(1, longest))] for _ in range(count)]


@pytest.mark.parametrize("name", MAKERS)
def test_answers_are_those_of_the_library(name: str) -> None:
    library, rng = make(name), random.Random(3)
    ahead = classifier(library, 20)
    for count in (1, 2, 7, 20):
        batch = batch_of(rng, count)
        found = torch.tensor(ahead.forward(batch))
        torch.testing.assert_close(found, expected(library, batch).softmax(-1), atol=1e-5, rtol=0)
    assert ahead.forward([]) == []


@pytest.mark.parametrize("warm", [0, 4])
def test_batches_beyond_all_buckets_run_as_they_are(warm: int) -> None:
    library = make("bert")
    for batch in (batch_of(random.Random(1), 30), [[5] * 90, [6]]):
        found = torch.tensor(classifier(library, warm).forward(batch))
        torch.testing.assert_close(found, expected(library, batch).softmax(-1), atol=1e-5, rtol=0)


def test_answers_of_batches_under_way_are_kept_apart() -> None:
    library, rng = make("bert"), random.Random(8)
    ahead = classifier(library, 8)
    batches = [batch_of(rng, count) for count in (3, 8, 3, 5, 1, 8, 2)]
    tickets = [ahead.submit(batch) for batch in batches[: BATCHES_AHEAD - 1]]
    for number, batch in enumerate(batches):
        if number + BATCHES_AHEAD - 1 < len(batches):
            tickets.append(ahead.submit(batches[number + BATCHES_AHEAD - 1]))
        found = torch.tensor(ahead.collect(tickets[number]))
        torch.testing.assert_close(found, expected(library, batch).softmax(-1), atol=1e-5, rtol=0)


@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, LONGEST), min_size=1, max_size=64))
def test_a_bucket_holds_its_batch_and_divides_what_fills_it_up(lengths: list[int]) -> None:
    layout = lay_out([[7] * length for length in lengths])
    bucket = choose(ladder(64, LONGEST), sum(lengths), len(lengths))
    assert bucket is not None
    target = np.full(sum(bucket.parts) + 5, -9, dtype=np.int32)
    bucket.write(layout, LONGEST, target)
    ids, positions, borders, first = (part.numpy() for part in bucket.read(torch.from_numpy(target)))
    assert ids.tolist() == [7] * sum(lengths) + [0] * (bucket.tokens - sum(lengths))
    assert positions[: sum(lengths)].tolist() == [at for length in lengths for at in range(length)]
    assert (borders[0], borders[-1]) == (0, bucket.tokens)
    assert np.diff(borders)[: len(lengths)].tolist() == lengths
    assert np.diff(borders).min() >= 0
    assert np.diff(borders).max() <= LONGEST
    assert first[: len(lengths)].tolist() == layout.starts.tolist()
    assert ((first >= 0) & (first < bucket.tokens)).all()
    assert (target[-5:] == -9).all()


@pytest.mark.parametrize(("messages", "longest"), [(1, 8), (1, 96), (64, 96), (256, 96), (4096, 512)])
def test_buckets_ascend_in_small_steps_and_hold_every_batch_up_to_a_bound(messages: int, longest: int) -> None:
    buckets = ladder(messages, longest)
    assert len(buckets) < 30
    assert buckets[-1].messages == messages
    assert buckets[-1].tokens >= min(messages * longest, MOST_TOKENS)
    for smaller, larger in pairwise(buckets):
        assert smaller.tokens < larger.tokens <= max(1.25 * smaller.tokens + 64, 128)
        assert smaller.messages <= larger.messages
    assert choose(buckets, 1, 1) == buckets[0]
    assert choose(buckets, buckets[-1].tokens + 1, 1) is None


def test_an_exact_bucket_has_no_filling() -> None:
    assert exact(9, 2) == Bucket(9, 2, 0)
    target = np.zeros(sum(exact(9, 2).parts), dtype=np.int32)
    exact(9, 2).write(lay_out([[4] * 4, [5] * 5]), 5, target)
    assert target[18:].tolist() == [0, 4, 9, 0, 4]


def test_the_kernel_it_is_written_for_is_in_this_torch() -> None:
    import inspect

    from sluice.worker.model.varlen import kernel, supported

    names = list(inspect.signature(kernel()).parameters)
    assert names[:7] == ["query", "key", "value", "cu_seq_q", "cu_seq_k", "max_q", "max_k"]
    assert not supported(CPU, torch.float16, 64)
    assert not supported(torch.device("cuda:0"), torch.float32, 64)
