"""Tiny models, made on the spot: random weights and a vocabulary learned from a handful of sentences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

SENTENCES = ["see you at the station", "win a prize now", "your account is locked", "call me later", "ok"] * 3
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@dataclass(frozen=True)
class Settings:
    """What the loader asks of the settings."""

    model: str = "unset"
    mbert_model_path: str | None = None
    max_text_length: int = 96
    use_fp16: bool = True
    precision: str = "fp32"
    packed: bool = True
    device: str = "cpu"


def make_tokenizer(pieces: int = 120) -> Tokenizer:
    """A WordPiece tokenizer like BERT's, of so many pieces at most."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        SENTENCES, trainers.WordPieceTrainer(vocab_size=pieces, special_tokens=SPECIAL, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def make_model(vocabulary: int, labels: dict[int, str], width: int = 64) -> BertForSequenceClassification:
    """A BERT of two layers with fixed random weights."""
    torch.manual_seed(3)
    return BertForSequenceClassification(
        BertConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            num_hidden_layers=2,
            num_attention_heads=1,
            intermediate_size=64,
            max_position_embeddings=128,
            id2label=labels,
        )
    ).eval()


def save_model(folder: Path, labels: dict[int, str]) -> BertForSequenceClassification:
    """Writes a complete model folder."""
    tokenizer = make_tokenizer()
    model = make_model(tokenizer.get_vocab_size(), labels)
    model.save_pretrained(str(folder))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(str(folder))
    return model


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-bert")
    save_model(folder, {0: "HAM", 1: "Spam", 2: "smishing"})
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An OpenTextShield checkpoint with its tokenizer beside it."""
    folder = tmp_path_factory.mktemp("ots")
    tokenizer = make_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]"}'
    )
    model = make_model(tokenizer.get_vocab_size(), {0: "a", 1: "b", 2: "c"})
    torch.save(model.state_dict(), folder / "mbert_ots_model_2.5.pth")
    return folder / "mbert_ots_model_2.5.pth"
