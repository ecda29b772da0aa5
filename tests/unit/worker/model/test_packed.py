"""Packed batches: the library's answers, whatever the architecture and the mixture of lengths."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings as hypothesis_settings, strategies as st
from transformers import AutoModelForSequenceClassification

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.attention import make_groups, means
from sluice.worker.model.blueprint import read
from sluice.worker.model.huggingface import load_huggingface
from sluice.worker.model.packed import PackedModel, packed_logits
from sluice.worker.model.storage import store
from tests.unit.worker.model.architectures import MAKERS, POSITIONS, VOCABULARY, expected, make
from tests.unit.worker.model.conftest import Settings, make_tokenizer

CPU = torch.device("cpu")
SHIPPED = Path(__file__).resolve().parents[4] / "models" / "sms-mini"


@cache
def pair(name: str) -> tuple[Any, PackedModel]:
    """The library's model and the packed one over the same weights."""
    if name == "shipped":
        library = AutoModelForSequenceClassification.from_pretrained(str(SHIPPED), dtype="float32").eval()
    else:
        library = make(name)
    blueprint = read(library)
    assert blueprint is not None
    return library, PackedModel(blueprint)


def check(name: str, batch: list[list[int]]) -> None:
    """Logits and probabilities within 1e-5 of the library's."""
    library, packed = pair(name)
    with torch.inference_mode():
        found = packed_logits(packed, batch, CPU)
    logits = expected(library, batch)
    torch.testing.assert_close(found, logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.softmax(-1), logits.softmax(-1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", [*MAKERS, "shipped"])
@hypothesis_settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_answers_are_those_of_the_library(name: str, data: st.DataObject) -> None:
    longest = data.draw(st.sampled_from((1, 3, 12, POSITIONS)), "longest")
    lengths = data.draw(st.lists(st.integers(1, longest), min_size=1, max_size=256), "lengths")
    rng = random.Random(data.draw(st.integers(0, 999), "ids"))
    check(name, [[rng.randrange(VOCABULARY) for _ in range(length)] for length in lengths])


@pytest.mark.parametrize("name", [*MAKERS, "shipped"])
def test_every_length_up_to_the_limit(name: str) -> None:
    rng = random.Random(2)
    check(name, [[rng.randrange(VOCABULARY) for _ in range(length)] for length in range(1, POSITIONS + 1)])


@pytest.mark.parametrize("name", [*MAKERS, "shipped"])
@pytest.mark.parametrize("size", [1, 2, 64, 255, 256])
def test_batch_sizes(name: str, size: int) -> None:
    rng = random.Random(size)
    check(name, [[rng.randrange(VOCABULARY) for _ in range(rng.randint(1, 20))] for _ in range(size)])


@pytest.mark.parametrize("lengths", [[96], [5] * 8, [1, 96], [96, 2, 50, 2, 96]])
def test_special_mixtures(lengths: list[int]) -> None:
    check("bert", [list(range(1, length + 1)) for length in lengths])


@pytest.mark.parametrize("name", MAKERS)
def test_padding_ids_inside_a_text_are_read_as_the_library_reads_them(name: str) -> None:
    pad_id = pair(name)[0].config.pad_token_id
    check(name, [[2, pad_id, 5, pad_id, pad_id, 9], [pad_id, pad_id], [pad_id, 4, 3], [8, 7, 6, pad_id]])


def test_groups_cover_every_row_once_with_little_padding() -> None:
    lengths = np.sort(np.random.default_rng(1).integers(2, 97, 64))
    groups = list(make_groups(lengths, np.cumsum(lengths) - lengths, CPU))
    rows = [row for group in groups for row in range(group.tokens.start, group.tokens.stop)]
    assert rows == list(range(int(lengths.sum())))
    assert sum(group.shape[0] for group in groups) == 64
    assert sum(group.shape[0] * group.shape[1] for group in groups) < 1.2 * lengths.sum()


def test_variants_that_compute_something_else_are_left_to_the_library() -> None:
    from transformers import ElectraConfig, ElectraForSequenceClassification

    assert read(make("bert", is_decoder=True)) is None
    assert read(make("bert", position_embedding_type="relative_key")) is None
    assert read(torch.nn.Linear(2, 2)) is None
    electra = ElectraConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=1)
    assert read(ElectraForSequenceClassification(electra)) is None


class Bert(torch.nn.Module):
    """Of another origin than the library, whatever its name says."""


Bert.__name__ = "BertForSequenceClassification"


def test_a_class_of_that_name_from_elsewhere_is_left_alone() -> None:
    model = Bert()
    model.config = make("bert").config
    assert read(model) is None


@pytest.fixture(scope="module")
def electra_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of an architecture that has no packed form."""
    from transformers import ElectraConfig, ElectraForSequenceClassification, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("electra")
    tokenizer = make_tokenizer()
    config = ElectraConfig(
        vocab_size=tokenizer.get_vocab_size(),
        embedding_size=16,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=16,
    )
    config.num_labels = 2
    ElectraForSequenceClassification(config).save_pretrained(str(folder))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
        str(folder)
    )
    return folder


def test_a_model_that_cannot_be_packed_runs_padded(electra_folder: Path) -> None:
    classifier = load_huggingface(str(electra_folder), Settings())
    assert classifier.padded
    batch = classifier.encode(["ok", "call me later ok ok ok"])
    together = classifier.forward(batch)
    alone = [classifier.forward([ids])[0] for ids in batch]
    assert together == [pytest.approx(row, abs=1e-5) for row in alone]


def test_the_setting_switches_packing_off(model_folder: Path) -> None:
    packed, padded = (load_huggingface(str(model_folder), Settings(packed=value)) for value in (True, False))
    assert (packed.padded, padded.padded) == (False, True)
    batch = packed.encode(["win a prize now", "ok"])
    assert packed.forward(batch) == [pytest.approx(row, abs=1e-5) for row in padded.forward(batch)]


def test_positions_behind_the_padding_are_not_offered_to_texts(tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    tokenizer = make_tokenizer()
    make("roberta", vocab_size=tokenizer.get_vocab_size()).save_pretrained(str(tmp_path))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
        str(tmp_path)
    )
    classifier = load_huggingface(str(tmp_path), Settings(max_text_length=500))
    (ids,) = classifier.encode(["ok " * 600])
    assert len(ids) == POSITIONS
    assert len(classifier.forward([ids])[0]) == 3


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_a_head_on_the_mean_is_read_from_the_config(tmp_path: Path, packed: bool, bits: int) -> None:
    from transformers import PreTrainedTokenizerFast

    tokenizer = make_tokenizer()
    library = make("mean_bert", vocab_size=tokenizer.get_vocab_size())
    library.save_pretrained(str(tmp_path))
    if bits != 32:
        store(tmp_path, bits)  # type: ignore[arg-type]
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
        str(tmp_path)
    )
    classifier = load_huggingface(str(tmp_path), Settings(packed=packed))
    assert classifier.padded != packed
    batch = classifier.encode(["win a prize now", "ok", "see you at the station, call me later"])
    found = torch.tensor(classifier.forward(batch))
    near = {8: 0.02, 16: 1e-3, 32: 1e-5}[bits]
    torch.testing.assert_close(found, expected(library, batch).softmax(-1), atol=near, rtol=0)
    library.config.classifier_pooling = "cls"
    library.config.save_pretrained(str(tmp_path))
    first = torch.tensor(load_huggingface(str(tmp_path), Settings(packed=packed)).forward(batch))
    assert (found - first).abs().max() > 0.05


@pytest.mark.parametrize(("name", "pooling"), [("bert", "max"), ("roberta", "mean")])
def test_a_head_that_is_not_known_is_refused(tmp_path: Path, name: str, pooling: str) -> None:
    make(name, classifier_pooling=pooling).save_pretrained(str(tmp_path))
    make_tokenizer().save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with pytest.raises(ModelUnavailable, match=f"^[^\n]*classifier_pooling '{pooling}'[^\n]*$"):
        load_huggingface(str(tmp_path), Settings())


def test_the_mean_of_a_message_is_that_of_its_tokens() -> None:
    rows = torch.randn(9, 5)
    found = means(rows, torch.tensor([0, 4, 9, 9]))
    torch.testing.assert_close(found, torch.stack([rows[:4].mean(0), rows[4:].mean(0), torch.zeros(5)]))
