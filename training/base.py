"""Where fine-tuning starts: an encoder made smaller and given a head, or a trained classifier as it is."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sluice.tasks.errors import ModelUnavailable
from sluice.training.head import pooling, set_head
from sluice.training.parts import keep_layers
from sluice.training.start import Start, label_maps, own_encoder
from sluice.training.vocabulary import count_pieces, cut_embeddings, cut_positions, cut_vocabulary
from sluice.worker.model.card import read_card
from sluice.worker.model.disguise import make_normalizer, read_normalizer
from sluice.worker.model.hub import LoadOptions, source
from sluice.worker.model.huggingface import text_encoder
from sluice.worker.model.labels import read_labels
from sluice.worker.model.library import Report, read_library

SPECIAL_NAMES = {
    "pad_token": ("<pad>", "[PAD]"),
    "unk_token": ("<unk>", "[UNK]"),
    "cls_token": ("<s>", "[CLS]"),
    "sep_token": ("</s>", "[SEP]"),
    "mask_token": ("<mask>", "[MASK]"),
}
"""What the special tokens are called in folders that do not say so."""
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class BaseOptions:
    """What is taken of a base model."""

    keep_layers: int | None = None
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
    tokenizer, model, _ = _load(base, "--base", label_maps(labels))
    if options.keep_layers is not None:
        keep_layers(model, options.keep_layers)
    set_head(model, options.head or pooling(model.config))
    if options.vocabulary is not None:
        tokenizer = _cut(tokenizer, model, options.vocabulary, texts, max_length)
    return _begin(tokenizer, model, max_length, True)


def continue_from(spec: str, labels: Sequence[str], max_length: int) -> Start:
    """The trained classifier `spec` with its head, reading texts as it always has.

    Raises ModelUnavailable when it cannot be had, or its labels are not `labels` in that order.
    """
    tokenizer, model, report = _load(spec, "--from", {})
    if report["missing_keys"] or report["mismatched_keys"]:
        raise ModelUnavailable(f"The model {spec!r} has no trained classification head: give it as --base.")
    if read_labels(model.config.id2label) != tuple(labels):
        raise ModelUnavailable(_other_labels(spec, read_labels(model.config.id2label), labels))
    set_head(model, pooling(model.config))
    folder = Path(spec).expanduser()
    facts = read_card(folder) if folder.is_dir() else {}
    start = _begin(tokenizer, model, max_length, read_normalizer(facts, tokenizer) is not None)
    own = [folder / name for name in TOKENIZER_FILES]
    if all(file.is_file() for file in own):  # the library would write scores with other last digits
        return replace(start, save_tokenizer=lambda target: [shutil.copy(file, target / file.name) for file in own])
    return start


def labels_of(spec: str) -> tuple[str, ...]:
    """The labels of the trained classifier `spec`.

    Raises ModelUnavailable when it cannot be had.
    """
    from transformers import AutoConfig

    name, options = source(spec, "--from")
    try:
        config = AutoConfig.from_pretrained(name, **options)
    except Exception as error:
        raise _unloadable(spec, "--from", error) from error
    return read_labels(config.id2label)


def check_labels(spec: str, labels: Sequence[str]) -> tuple[str, ...]:
    """The labels of the trained classifier `spec` in its order, which the data must have, all of them.

    Raises ModelUnavailable when they differ.
    """
    own = labels_of(spec)
    if set(own) != set(labels):
        raise ModelUnavailable(_other_labels(spec, own, labels))
    return own


def _other_labels(spec: str, own: Sequence[str], labels: Sequence[str]) -> str:
    return (
        f"The model {spec!r} tells {', '.join(own)} apart, the data {', '.join(labels)}: "
        "give data with the same labels, or the model as --base, which makes it a new head."
    )


def _begin(tokenizer: Any, model: Any, max_length: int, normalize: bool) -> Start:
    encoder = own_encoder(tokenizer, max_length, model.config, normalize)
    mask_id = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else encoder.pad_id
    return Start(model, encoder, mask_id, lambda folder: tokenizer.save_pretrained(str(folder)), normalize)


def _load(spec: str, option: str, maps: dict[str, Any]) -> tuple[Any, Any, Report]:
    """The library's tokenizer and model, and its report on the weights; `maps` are the labels of a new head."""
    from transformers import AutoConfig
    from transformers.utils import logging

    name, options = source(spec, option)
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # it would tell at length that the head is new
    try:
        tokenizer = _tokenizer(name, options)
        config = AutoConfig.from_pretrained(name, **maps, **options)
        model, report = read_library(name, config, ignore_mismatched_sizes=True, **options)
    except ModelUnavailable:
        raise
    except Exception as error:
        raise _unloadable(spec, option, error) from error
    if not tokenizer.is_fast:
        raise ModelUnavailable(f"The model {spec!r} has no fast tokenizer: give {option} another.")
    return tokenizer, model, report


def _unloadable(spec: str, option: str, error: Exception) -> ModelUnavailable:
    return ModelUnavailable(
        f"The model {spec!r} cannot be loaded ({type(error).__name__}): "
        f"give {option} a folder with config.json, weights and tokenizer."
    )


def _tokenizer(name: str, options: LoadOptions) -> Any:
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
