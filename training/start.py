"""Where training starts: a small model with a fresh vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.training.tokenizer import CLS, MASK, PAD, SEP, SPECIAL, UNKNOWN, save_tokenizer, train_tokenizer
from sluice.worker.model.disguise import Normalizer, make_normalizer
from sluice.worker.model.encoder import TextEncoder
from sluice.worker.model.huggingface import text_encoder


@dataclass(frozen=True)
class EncoderSize:
    """How big the small model is."""

    width: int
    layers: int
    heads: int
    vocab: int
    """Most pieces in the vocabulary."""


@dataclass(frozen=True)
class Start:
    """A model to train and its tokenizer."""

    model: Any
    encoder: TextEncoder
    mask_id: int
    save_tokenizer: Callable[[Path], Any]
    normalized: bool = True
    """Whether disguises are undone before the tokenizer."""

    @property
    def pad_id(self) -> int:
        """The id of padding."""
        return self.encoder.pad_id

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text as the service has them: special tokens included, cut to the encoder's length."""
        return self.encoder.encode(texts)


def start_mini(texts: Sequence[str], labels: Sequence[str], size: EncoderSize, max_length: int) -> Start:
    """A BERT of the given size with random weights, and a vocabulary learned from the texts."""
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    plain = Normalizer()
    tokenizer = train_tokenizer([plain(text) for text in texts], size.vocab)
    pad_id, mask_id = SPECIAL.index(PAD), SPECIAL.index(MASK)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.width,
        max_position_embeddings=max(128, max_length),
        type_vocab_size=1,
        attention_probs_dropout_prob=0.0,
        pad_token_id=pad_id,
        **label_maps(labels),
    )
    library = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, unk_token=UNKNOWN, cls_token=CLS, sep_token=SEP, mask_token=MASK
    )
    return Start(
        BertForSequenceClassification(config),
        own_encoder(library, max_length, config),
        mask_id,
        lambda folder: save_tokenizer(tokenizer, folder, config.max_position_embeddings),
    )


def own_encoder(library: Any, max_length: int, config: Any, normalize: bool = True) -> TextEncoder:
    """The service's encoder, which undoes disguises, over a copy of the tokenizer, which it changes.

    Raises ModelUnavailable for a tokenizer without a fast backend.
    """
    return text_encoder(deepcopy(library), max_length, config, make_normalizer(library) if normalize else None)


def label_maps(labels: Sequence[str]) -> dict[str, Any]:
    """What a config says of the labels."""
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
    }
