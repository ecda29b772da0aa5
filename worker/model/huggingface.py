"""Any Hugging Face sequence classifier, from a folder, the hub's cache or the hub."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model import memory, varlen
from sluice.worker.model.ahead import AheadClassifier
from sluice.worker.model.base import ModelInfo, ModelSettings
from sluice.worker.model.blueprint import Blueprint, read
from sluice.worker.model.card import model_info, read_card
from sluice.worker.model.disguise import Normalizer, read_normalizer
from sluice.worker.model.encoder import TextEncoder
from sluice.worker.model.hub import source
from sluice.worker.model.labels import read_labels
from sluice.worker.model.library import read_library
from sluice.worker.model.packed import PackedClassifier, PackedModel, packed_logits
from sluice.worker.model.precision import Logits, choose, required
from sluice.worker.model.torch_classifier import TorchClassifier, choose_device

PAST_PADDING = {
    "camembert",
    "data2vec-text",
    "longformer",
    "mpnet",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
}
"""Families that count positions from the padding's id on: their last positions, 514 say, hold 512 tokens."""


def load_huggingface(spec: str, settings: ModelSettings) -> TorchClassifier:
    """Loads the model and the fast tokenizer of `spec`; nothing of it is executed as code.

    Raises ModelUnavailable when it cannot be had, is damaged, or is no classifier.
    """
    device = choose_device(settings.device)
    name, options = source(spec)
    disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(name, **options)
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
        model, report = read_library(name, config, **options)
    except ModelUnavailable:
        raise
    except Exception as error:
        raise ModelUnavailable(
            f"The model {spec!r} cannot be loaded ({_first_line(error)}): set SLUICE_MODEL to a complete model folder."
        ) from error
    if report["missing_keys"] or report["mismatched_keys"]:
        raise ModelUnavailable(
            f"The model {spec!r} has no trained classification head or lacks weights: "
            "set SLUICE_MODEL to a trained classifier."
        )
    labels = read_labels(config.id2label)
    folder = Path(name) if Path(name).is_dir() else None
    normalizer = read_normalizer(read_card(folder) if folder is not None else {}, tokenizer)
    encoder = text_encoder(tokenizer, settings.max_text_length, config, normalizer)
    info = model_info(spec, folder, config.to_dict(), labels)
    return classifier(model, encoder, labels, info, device, settings)


def classifier(
    model: nn.Module,
    encoder: TextEncoder,
    labels: Sequence[str],
    info: ModelInfo,
    device: torch.device,
    settings: ModelSettings,
) -> TorchClassifier:
    """Runs packed what can be packed, and the rest as its library does, in the precision that fits.

    Raises ModelUnavailable when the settings ask for a precision that this model or device cannot run.
    """
    if device.type == "cpu":
        memory.keep()
    blueprint = read(model) if settings.packed else None
    precision = required(settings.precision, settings.use_fp16, device, blueprint is not None)
    if blueprint is None:
        return TorchClassifier(model, encoder, labels, info, device, precision or "float32")
    packed, precision = pack(blueprint, precision, encoder)
    head_width = blueprint.words.shape[1] // blueprint.heads
    if precision != "int8" and varlen.supported(device, getattr(torch, precision), head_width):
        return AheadClassifier(packed, encoder, labels, info, device, precision, varlen.kernel())
    return PackedClassifier(packed, encoder, labels, info, device, precision)


def pack(blueprint: Blueprint, precision: str | None, encoder: TextEncoder) -> tuple[PackedModel, str]:
    """The packed model and its precision; None as precision: on a CPU, the fastest that answers alike."""
    if precision == "int8":
        return PackedModel(blueprint, int8=True).eval(), "int8"
    models = {"float32": PackedModel(blueprint).eval()}
    if precision is not None:
        return models["float32"], precision

    def make(name: str) -> Logits:
        # A copy: the norms of the float32 model are the library's own, and must stay as they are.
        cheap = PackedModel(blueprint, int8=True) if name == "int8" else deepcopy(models["float32"]).bfloat16()
        models[name] = cheap.eval()
        return logits(name)

    def logits(name: str) -> Logits:
        return lambda batch: packed_logits(models[name], batch, torch.device("cpu"))

    chosen = choose(logits("float32"), make, encoder.encode)
    return models[chosen], chosen


def text_encoder(
    tokenizer: PreTrainedTokenizerBase,
    max_text_length: int,
    config: PreTrainedConfig,
    normalizer: Normalizer | None = None,
) -> TextEncoder:
    """The encoder over a library tokenizer, its limit cut to the positions the model has.

    Raises ModelUnavailable for a tokenizer without a fast backend.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise ModelUnavailable("The model has no fast tokenizer (tokenizer.json): set SLUICE_MODEL to another.")
    positions = int(getattr(config, "max_position_embeddings", None) or max_text_length)
    if getattr(config, "model_type", None) in PAST_PADDING:
        positions -= int(config.pad_token_id or 0) + 1
    pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    unknown_id = tokenizer.unk_token_id if tokenizer.unk_token_id is not None else pad_id
    backend = tokenizer.backend_tokenizer
    return TextEncoder(backend, min(max_text_length, positions), int(pad_id), int(unknown_id), normalizer)


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:160]}" if text else type(error).__name__
