"""Where fine-tuning starts: an encoder from a folder, the cache or the hub, made smaller and given a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.tasks.errors import ModelUnavailable
from sluice.training.head import pooling, set_head
from sluice.training.parts import keep_layers
from sluice.training.start import Start, label_maps, own_encoder
from sluice.training.vocabulary import count_pieces, cut_embeddings, cut_positions, cut_vocabulary
from sluice.worker.model.disguise import make_normalizer
from sluice.worker.model.hub import source
from sluice.worker.model.huggingface import text_encoder
from sluice.worker.model.library import read_library

SPECIAL_NAMES = {
    "pad_token": ("<pad>", "[PAD]"),
    "unk_token": ("<unk>", "[UNK]"),
    "cls_token": ("<s>", "[CLS]"),
    "sep_token": ("</s>", "[SEP]"),
    "mask_token": ("<mask>", "[MASK]"),
}
"""What the special tokens are called in folders that do not say so."""


@dataclass(frozen=True)
class BaseOptions:
    """What is taken of a base model."""

    layers: int | None = None
    """The lowest so many; None: all."""
    vocabulary: int | None = None
    """Pieces that are kept, with the positions that the texts need; None: all."""
    head: str | None = None
    """ "first" or "mean"; None: as the base has it."""


def start_from(base: str, labels: Sequence[str], options: BaseOptions, texts: Sequence[str], max_length: int) -> Start:
    """The encoder `base`, with a new classification head unless it has one for these labels.

    `texts` decide which pieces of the vocabulary are kept.
    Raises ModelUnavailable when it cannot be had, or cannot be made what `options` say.
    """
    tokenizer, model = _load(base, labels)
    if options.layers is not None:
        keep_layers(model, options.layers)
    set_head(model, options.head or pooling(model.config))
    if options.vocabulary is not None:
        tokenizer = _cut(tokenizer, model, options.vocabulary, texts, max_length)
    encoder = own_encoder(tokenizer, max_length, model.config)
    mask_id = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else encoder.pad_id
    return Start(model, encoder, mask_id, lambda folder: tokenizer.save_pretrained(str(folder)))


def _load(base: str, labels: Sequence[str]) -> tuple[Any, Any]:
    """The library's tokenizer and model."""
    from transformers import AutoConfig
    from transformers.utils import logging

    name, options = source(base, "--base")
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # it would tell at length that the head is new
    try:
        tokenizer = _tokenizer(name, options)
        config = AutoConfig.from_pretrained(name, **label_maps(labels), **options)
        model, _ = read_library(name, config, ignore_mismatched_sizes=True, **options)
    except ModelUnavailable:
        raise
    except Exception as error:
        raise ModelUnavailable(
            f"The base model {base!r} cannot be loaded ({type(error).__name__}): "
            "give --base a folder with config.json, weights and tokenizer."
        ) from error
    if not tokenizer.is_fast:
        raise ModelUnavailable(f"The base model {base!r} has no fast tokenizer: give --base another.")
    return tokenizer, model


def _tokenizer(name: str, options: dict[str, Any]) -> Any:
    """The library's tokenizer; of a folder that has tokenizer.json alone, that one as it is.

    The library would guess such a folder's kind of tokenizer from the model's, and cut texts by another rule.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    file = Path(name) / "tokenizer.json"
    if not file.is_file() or (Path(name) / "tokenizer_config.json").is_file():
        return AutoTokenizer.from_pretrained(name, **options)
    library = PreTrainedTokenizerFast(tokenizer_file=str(file))
    return _wrap(library.backend_tokenizer, _special_names(library))


def _special_names(library: Any) -> dict[str, str]:
    """The special tokens by their roles: those that the tokenizer states, or else those with a usual name."""
    vocabulary = library.backend_tokenizer.get_vocab()
    found = {}
    for role, usual in SPECIAL_NAMES.items():
        name = getattr(library, role, None) or next((one for one in usual if one in vocabulary), None)
        if name is not None:
            found[role] = str(name)
    return found


def _wrap(backend: Any, names: dict[str, str]) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=backend, **names)


def _cut(tokenizer: Any, model: Any, size: int, texts: Sequence[str], max_length: int) -> Any:
    """The tokenizer with the vocabulary that `texts` need most; the model's embeddings are cut alike."""
    used = count_pieces(text_encoder(tokenizer, max_length, model.config, make_normalizer(tokenizer)).encode(texts))
    names = _special_names(tokenizer)
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    special = {number for name in names.values() if (number := backend.token_to_id(name)) is not None}
    special |= {number for number in (model.config.pad_token_id,) if number is not None}
    cut = cut_vocabulary(backend, size, used, special)
    cut_embeddings(model, cut)
    cut_positions(model, max_length)
    smaller = _wrap(cut.tokenizer, names)
    smaller.model_max_length = model.config.max_position_embeddings
    return smaller
