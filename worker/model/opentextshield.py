"""OpenTextShield's checkpoints: the state dict of a three-class multilingual BERT, as `.pth`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.base import ModelInfo, ModelSettings
from sluice.worker.model.card import UNKNOWN, stated_info
from sluice.worker.model.hub import source
from sluice.worker.model.huggingface import classifier, text_encoder
from sluice.worker.model.labels import LABELS
from sluice.worker.model.torch_classifier import TorchClassifier, choose_device

BASE = "bert-base-multilingual-cased"
SETTING = "SLUICE_MBERT_MODEL_PATH"
HEAD_WIDTH = 64
"""Of every BERT with a published checkpoint; a state dict does not say how many heads there are."""
WRAPPERS = ("model_state_dict", "state_dict", "model")
PREFIXES = ("module.", "_orig_mod.")
BUFFERS = ("bert.embeddings.position_ids",)
"""Saved by old releases of the library, made anew by this one."""


def load_opentextshield(path: Path, settings: ModelSettings, base: str | None = None) -> TorchClassifier:
    """Loads a checkpoint. The tokenizer comes from `base`, else from the checkpoint's folder, else the hub.

    Raises ModelUnavailable when the file is damaged or of another shape, or the tokenizer cannot be had.
    """
    device = choose_device(settings.device)
    weights = read_state_dict(path)
    base = base or base_beside(path.parent)
    config = bert_config(weights, base, path)
    model: PreTrainedModel = BertForSequenceClassification(config)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelUnavailable(
            f"{path.name} does not fit {config.num_hidden_layers} layers of {BASE} ({str(error)[:120]!r}): "
            f"set {SETTING} to an OpenTextShield checkpoint."
        ) from error
    version = read_version(path.name)
    adapter = path.parent / f"adapters_{version}"
    if adapter.is_dir():
        model = with_adapter(model, adapter)
    encoder = text_encoder(load_tokenizer(base), settings.max_text_length, config)
    return classifier(model, encoder, LABELS, describe(path, version), device, settings)


def read_version(file_name: str) -> str:
    """The version in a file name: "2.5" for `mbert_ots_model_2.5.pth`."""
    found = re.search(r"(\d+(?:\.\d+)*)\.[A-Za-z]+$", file_name)
    return found.group(1) if found else UNKNOWN


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Reads tensors only (`weights_only`), unwrapped and without the prefixes parallel training adds.

    Raises ModelUnavailable when the file holds anything else.
    """
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises almost anything
        raise ModelUnavailable(
            f"{path} is not a readable checkpoint ({type(error).__name__}): set {SETTING} to a .pth state dict."
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise ModelUnavailable(f"{path} holds no state dict: set {SETTING} to a .pth state dict.")
    return {_plain(name): value for name, value in loaded.items() if _plain(name) not in BUFFERS}


def _plain(name: str) -> str:
    stripped = True
    while stripped:
        stripped = False
        for prefix in PREFIXES:
            if name.startswith(prefix):
                name, stripped = name.removeprefix(prefix), True
    return name


def base_beside(folder: Path) -> str:
    """The checkpoint's own folder when it holds a tokenizer, else the hub id of multilingual BERT."""
    if any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        return str(folder)
    return BASE


def bert_config(weights: Mapping[str, torch.Tensor], base: str, path: Path) -> BertConfig:
    """The shape: from `config.json` in the base folder, else read off the tensors.

    Raises ModelUnavailable when they are no three-class BERT's.
    """
    try:
        vocabulary, width = weights["bert.embeddings.word_embeddings.weight"].shape
        positions = weights["bert.embeddings.position_embeddings.weight"].shape[0]
        intermediate = weights["bert.encoder.layer.0.intermediate.dense.weight"].shape[0]
        classes = weights["classifier.weight"].shape[0]
    except (KeyError, ValueError, IndexError):
        raise ModelUnavailable(f"{path.name} is not a BERT classifier: set {SETTING} to another file.") from None
    if classes != len(LABELS):
        raise ModelUnavailable(
            f"{path.name} has {classes} labels, {len(LABELS)} are needed ({', '.join(LABELS)}): "
            f"set {SETTING} to an OpenTextShield checkpoint."
        )
    named = dict(enumerate(LABELS))
    if (Path(base) / "config.json").is_file():
        return BertConfig.from_pretrained(base, id2label=named, local_files_only=True)
    layers = {name.split(".")[3] for name in weights if name.startswith("bert.encoder.layer.")}
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=max(1, width // HEAD_WIDTH),
        intermediate_size=intermediate,
        max_position_embeddings=positions,
        id2label=named,
    )


def load_tokenizer(base: str) -> PreTrainedTokenizerBase:
    """The cased multilingual WordPiece tokenizer, from a folder or the hub.

    Raises ModelUnavailable when it cannot be had.
    """
    folder = Path(base)
    if folder.is_dir() and not (folder / "tokenizer.json").is_file():
        return BertTokenizer(vocab=str(folder / "vocab.txt"), do_lower_case=False)
    name, options = source(base, SETTING)
    try:
        return AutoTokenizer.from_pretrained(name, **options)
    except Exception as error:  # the library raises a dozen kinds for a damaged or absent file
        raise ModelUnavailable(
            f"The tokenizer of {base} cannot be loaded ({type(error).__name__}): "
            f"put its vocab.txt beside the file that {SETTING} names."
        ) from error


def with_adapter(model: PreTrainedModel, adapter: Path) -> PreTrainedModel:
    """Merges a PEFT adapter into the model.

    Raises ModelUnavailable when `peft` is not installed or the adapter does not fit.
    """
    try:
        from peft import PeftModel  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise ModelUnavailable(
            f"The adapter {adapter.name} needs the package peft: install it, or move the adapter away from "
            f"the file that {SETTING} names."
        ) from None
    try:
        merged: PreTrainedModel = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
        return merged
    except Exception as error:  # a damaged adapter raises almost anything
        raise ModelUnavailable(
            f"The adapter {adapter.name} cannot be loaded ({type(error).__name__}): repair it or move it away from "
            f"the file that {SETTING} names."
        ) from error


def describe(path: Path, version: str) -> ModelInfo:
    """What OpenTextShield's API says of its models; a `sluice.json` beside the file overrides it.

    Raises ModelUnavailable when that cannot be read, or says what cannot be.
    """
    facts: dict[str, str] = {
        "name": "OTS_mBERT",
        "version": version,
        "architecture": BASE,
        "author": "TelecomsXChange (TCXC)",
        "last_training": UNKNOWN,
    }
    return stated_info(path.parent, facts, LABELS)
