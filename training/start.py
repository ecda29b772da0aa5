"""Where training starts: a small model with a fresh vocabulary, or a pre-trained one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from sluice.training.tokenizer import MASK, PAD, SPECIAL, save_tokenizer, train_tokenizer


@dataclass(frozen=True)
class Shape:
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
    tokenizer: Tokenizer
    pad_id: int
    mask_id: int
    save_tokenizer: Callable[[Path], Any]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut to the length the tokenizer was set to."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(list(texts))]

    def copy(self) -> torch.nn.Module:
        """Another model of the same shape and weights."""
        duplicate: torch.nn.Module = copy.deepcopy(self.model)
        return duplicate


def start_mini(texts: Sequence[str], labels: Sequence[str], shape: Shape, max_length: int) -> Start:
    """A BERT of the given shape with random weights, and a vocabulary learned from the texts."""
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = train_tokenizer(texts, shape.vocab)
    pad_id, mask_id = SPECIAL.index(PAD), SPECIAL.index(MASK)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.width,
        max_position_embeddings=max(128, max_length),
        type_vocab_size=1,
        attention_probs_dropout_prob=0.0,
        pad_token_id=pad_id,
        **_label_maps(labels),
    )
    tokenizer.enable_truncation(max_length)
    clean = Tokenizer.from_str(tokenizer.to_str())
    clean.no_truncation()
    return Start(
        BertForSequenceClassification(config),
        tokenizer,
        pad_id,
        mask_id,
        lambda folder: save_tokenizer(clean, folder, config.max_position_embeddings),
    )


def start_from(base: str, labels: Sequence[str], max_length: int) -> Start:
    """A pre-trained encoder from a folder, the cache or the hub, with a new classification head.

    Raises ModelUnavailable when it cannot be had or has no fast tokenizer.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    from sluice.tasks.errors import ModelUnavailable
    from sluice.worker.model.hub import source

    name, options = source(base, "--base")
    disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
        model = AutoModelForSequenceClassification.from_pretrained(
            name, dtype="float32", ignore_mismatched_sizes=True, **_label_maps(labels), **options
        )
    except Exception as error:
        raise ModelUnavailable(
            f"The base model {base!r} cannot be loaded ({type(error).__name__}): "
            "give --base a folder with config.json, weights and tokenizer."
        ) from error
    if not tokenizer.is_fast:
        raise ModelUnavailable(f"The base model {base!r} has no fast tokenizer: give --base another.")
    positions = int(getattr(model.config, "max_position_embeddings", None) or max_length)
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_padding()
    backend.enable_truncation(min(max_length, positions))
    pad_id = tokenizer.pad_token_id or 0
    mask_id = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else pad_id
    return Start(model, backend, pad_id, mask_id, lambda folder: tokenizer.save_pretrained(str(folder)))


def _label_maps(labels: Sequence[str]) -> dict[str, Any]:
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
    }
