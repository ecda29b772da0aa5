"""What is taken of a base model: depth, vocabulary, positions, head; and what of it learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, BertModel

from sluice.tasks.errors import ModelUnavailable
from sluice.training.base import BaseOptions, start_from
from sluice.training.fit import FitOptions, Run
from sluice.training.head import MeanBertForSequenceClassification, set_head
from sluice.training.optimizer import Rates
from sluice.training.parts import freeze, height
from sluice.training.start import Start
from tests.unit.worker.model.conftest import save_model

LABELS = ("ham", "spam")
WORDS = "▁see ▁you ▁at ▁the ▁station ▁win ▁a ▁prize ▁now ▁your ▁account ▁is ▁locked ▁call ▁me s e y o u".split()
RARE = [f"▁rare{number}" for number in range(40)]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def unigram() -> Tokenizer:
    """A tokenizer like that of multilingual encoders, without a word about its special tokens but their names."""
    pieces = [(name, 0.0) for name in SPECIAL] + [(word, -3 - n / 10) for n, word in enumerate(WORDS)]
    pieces += [(word, -9 - n / 10) for n, word in enumerate(RARE)] + [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, 3, False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of four layers without a head, and tokenizer.json alone."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = unigram()
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size() + 3,
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=300,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    BertModel(config).save_pretrained(str(folder))
    return folder


def begin(base: Path, options: BaseOptions | None = None, texts: tuple[str, ...] = ()) -> Start:
    return start_from(str(base), LABELS, options or BaseOptions(), texts, 96)


def test_a_folder_with_tokenizer_json_alone_cuts_texts_by_it(base: Path) -> None:
    start = begin(base)
    text = "see you at the station"
    assert start.encode([text]) == [unigram().encode(text).ids]
    assert start.pad_id == 1
    assert start.mask_id == unigram().token_to_id("<mask>")


def test_the_lowest_layers_are_kept(base: Path, tmp_path: Path) -> None:
    whole, half = begin(base), begin(base, BaseOptions(keep_layers=2))
    assert half.model.config.num_hidden_layers == 2
    assert len(half.model.bert.encoder.layer) == 2
    kept = half.model.bert.encoder.layer[1].output.dense.weight
    assert torch.equal(kept, whole.model.bert.encoder.layer[1].output.dense.weight)
    with pytest.raises(ModelUnavailable, match="4 layers: set --keep-layers"):
        begin(base, BaseOptions(keep_layers=5))


def test_the_cut_vocabulary_reads_texts_of_kept_pieces_alike(base: Path, tmp_path: Path) -> None:
    texts = ("see you at the station", "win a prize now", "rare7 prize")
    whole, cut = begin(base), begin(base, BaseOptions(vocabulary=28), texts)
    assert cut.model.config.vocab_size == 28
    assert cut.model.get_input_embeddings().weight.shape == (28, 32)
    assert cut.model.config.max_position_embeddings == 128
    former, smaller = unigram(), cut.encoder._tokenizer
    for text in texts:
        assert smaller.encode(text).tokens == former.encode(text).tokens
        with torch.no_grad():
            before, after = (
                one.model.eval().bert(torch.tensor(one.encode([text]))).last_hidden_state for one in (whole, cut)
            )
        assert torch.equal(before, after)
    assert "▁rare8" not in smaller.get_vocab()
    assert smaller.token_to_id("<unk>") in smaller.encode("rare8").ids
    assert cut.mask_id == smaller.token_to_id("<mask>")
    cut.save_tokenizer(tmp_path)
    saved = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert saved.encode(texts[2]).ids == cut.encode([texts[2]])[0]


def test_pieces_used_most_go_first_then_the_best_by_score(base: Path) -> None:
    pieces = begin(base, BaseOptions(vocabulary=20), ("rare39",)).encoder._tokenizer.get_vocab()
    assert set(SPECIAL) | {"<mask>", "▁rare39", "▁see", "▁you"} <= pieces.keys()
    assert "▁rare0" not in pieces


def test_wordpiece_is_cut_too(tmp_path: Path) -> None:
    save_model(tmp_path, {0: "x", 1: "y"})
    text = "your account is locked"
    whole, cut = begin(tmp_path), begin(tmp_path, BaseOptions(vocabulary=40), (text,))
    assert cut.model.config.vocab_size == 40
    assert cut.encoder._tokenizer.encode(text).tokens == whole.encoder._tokenizer.encode(text).tokens


def test_other_vocabularies_are_not_cut(base: Path, tmp_path: Path) -> None:
    for file in base.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    data = json.loads(unigram().to_str())
    vocabulary = {piece: number for number, (piece, _) in enumerate(data["model"]["vocab"])}
    data["model"] = {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "<unk>"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(data))
    with pytest.raises(ModelUnavailable, match="kind BPE, whose vocabulary cannot be cut"):
        begin(tmp_path, BaseOptions(vocabulary=30), ("win",))


def test_the_mean_head_is_the_librarys_arithmetic_over_real_tokens(base: Path, tmp_path: Path) -> None:
    model = begin(base, BaseOptions(head="mean")).model.eval()
    assert isinstance(model, MeanBertForSequenceClassification)
    ids, mask = torch.tensor([[0, 5, 6, 7, 2], [0, 8, 2, 1, 1]]), torch.tensor([[1] * 5, [1, 1, 1, 0, 0]])
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=mask).logits
        for row, count in enumerate((5, 3)):
            states = model.bert(ids[row : row + 1, :count]).last_hidden_state[0]
            assert model.bert.pooler is not None
            wanted = model.classifier(torch.tanh(model.bert.pooler.dense(states.mean(0))))
            assert torch.allclose(logits[row], wanted, atol=1e-6)
    model.save_pretrained(str(tmp_path))
    assert json.loads((tmp_path / "config.json").read_text())["classifier_pooling"] == "mean"
    again = BertForSequenceClassification.from_pretrained(str(tmp_path))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    assert again.config.classifier_pooling == "mean"


def test_a_head_over_the_mean_can_become_the_first_positions_again(base: Path) -> None:
    model = begin(base, BaseOptions(head="mean")).model
    set_head(model, "first")
    assert type(model) is BertForSequenceClassification
    assert model.config.classifier_pooling == "cls"


def batch_of(start: Start) -> tuple[list[list[int]], Any]:
    import numpy as np

    return start.encode(["win a prize now", "see you at the station"]), np.eye(2, dtype=np.float32)


@pytest.mark.parametrize(("count", "lowest_that_learns"), [(0, 0), (1, 2), (3, 4), (None, 0)])
def test_what_is_frozen_keeps_its_bits_and_gets_no_gradient(
    base: Path, count: int | None, lowest_that_learns: int
) -> None:
    start = begin(base)
    freeze(start.model, count)
    before = {name: value.detach().clone() for name, value in start.model.named_parameters()}
    run = Run(start.model, FitOptions(learning_rate=0.01, average=0), 1, start.pad_id, start.mask_id)
    for _ in range(2):
        run.learn(*batch_of(start), 1.0)
    words = "bert.embeddings.word_embeddings.weight"
    for name, value in start.model.named_parameters():
        frozen = height(name, start.model) < lowest_that_learns or (count is not None and name == words)
        assert torch.equal(value, before[name]) == frozen, name
        assert (value.grad is None) == frozen, name


def test_freezing_more_than_there_is_is_refused(base: Path) -> None:
    with pytest.raises(ModelUnavailable, match="4 layers: set --freeze"):
        freeze(begin(base).model, 5)


def test_rates_fall_layer_by_layer_and_the_head_has_its_own(base: Path) -> None:
    model = begin(base).model
    rates = Rates(1e-4, 0.5, 3e-4)
    assert rates.of("classifier.weight", model) == 3e-4
    assert rates.of("bert.pooler.dense.bias", model) == 3e-4
    assert rates.of("bert.encoder.layer.3.output.dense.weight", model) == 1e-4
    assert rates.of("bert.encoder.layer.0.output.dense.weight", model) == pytest.approx(1e-4 / 8)
    assert rates.of("bert.embeddings.LayerNorm.weight", model) == pytest.approx(1e-4 / 16)
    assert Rates(1e-4, 0.5).of("classifier.weight", model) == 1e-4


def test_disguises_are_undone_before_the_tokenizer(base: Path) -> None:
    start = begin(base)
    assert start.encode(["your acc\u200bount"]) == start.encode(["your account"])
