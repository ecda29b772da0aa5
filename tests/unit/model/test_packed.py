"""Packed batches: the library's answers, whatever the mixture of lengths."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

from tests.unit.model.conftest import Settings, make_model, make_tokenizer
from worker.model.huggingface import load_huggingface
from worker.model.packed import PackedBert, make_groups, packable
from worker.model.torch_classifier import pad


@pytest.fixture(scope="module")
def library() -> BertForSequenceClassification:
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=200,
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=100,
        num_labels=3,
        initializer_range=0.5,
    )
    return BertForSequenceClassification(config).eval()


def expected(library: BertForSequenceClassification, batch: list[list[int]]) -> torch.Tensor:
    ids, mask = pad(batch, 0)
    with torch.inference_mode():
        logits: torch.Tensor = library(torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).logits
    return logits


@pytest.mark.parametrize("seed", range(6))
def test_answers_are_those_of_the_library(library: BertForSequenceClassification, seed: int) -> None:
    rng = random.Random(seed)
    longest = rng.choice((3, 12, 96))
    batch = [[rng.randrange(200) for _ in range(rng.randint(2, longest))] for _ in range(rng.randint(1, 70))]
    with torch.inference_mode():
        packed = PackedBert(library)(batch)
    torch.testing.assert_close(packed, expected(library, batch), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("lengths", [[96], [5] * 8, [2, 96], [96, 2, 50, 2, 96]])
def test_special_mixtures(library: BertForSequenceClassification, lengths: list[int]) -> None:
    batch = [list(range(1, length + 1)) for length in lengths]
    with torch.inference_mode():
        torch.testing.assert_close(PackedBert(library)(batch), expected(library, batch), atol=2e-4, rtol=1e-4)


def test_groups_cover_every_row_once_with_little_padding() -> None:
    lengths = np.sort(np.random.default_rng(1).integers(2, 97, 64))
    groups = list(make_groups(lengths, np.cumsum(lengths) - lengths, torch.device("cpu")))
    rows = [row for group in groups for row in range(group.tokens.start, group.tokens.stop)]
    assert rows == list(range(int(lengths.sum())))
    assert sum(group.shape[0] for group in groups) == 64
    assert sum(group.shape[0] * group.shape[1] for group in groups) < 1.2 * lengths.sum()


def test_only_what_is_computed_alike_is_packed(model_folder: Path) -> None:
    config = DistilBertConfig(vocab_size=50, dim=16, n_layers=1, n_heads=1, hidden_dim=16)
    assert not packable(DistilBertForSequenceClassification(config))
    assert packable(make_model(make_tokenizer().get_vocab_size(), {0: "a", 1: "b"}))


def test_a_model_that_cannot_be_packed_runs_padded(tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    tokenizer = make_tokenizer()
    config = DistilBertConfig(
        vocab_size=tokenizer.get_vocab_size(), dim=16, n_layers=1, n_heads=1, hidden_dim=16, num_labels=2
    )
    DistilBertForSequenceClassification(config).save_pretrained(str(tmp_path))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
        str(tmp_path)
    )
    model = load_huggingface(str(tmp_path), Settings())
    assert (model.padded, model.labels) == (True, ("ham", "spam"))
    batch = model.encode(["ok", "see you at the station, call me later"])
    together, alone = model.forward(batch), [model.forward([ids])[0] for ids in batch]
    assert together == [pytest.approx(row, abs=1e-5) for row in alone]
