"""The library's model of a folder or hub id, whatever form its weights are stored in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

from torch import Tensor
from transformers import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import cached_file

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model import storage

Report = Mapping[str, Collection[object]]
"""What the library says of weights: `missing_keys`, `mismatched_keys`, …"""


def read_library(
    name: str, config: PreTrainedConfig, *, local_files_only: bool = False, ignore_mismatched_sizes: bool = False
) -> tuple[PreTrainedModel, Report]:
    """A classifier in float32 and the library's report on its weights (`missing_keys`, `mismatched_keys`, …).

    Args:
        name, local_files_only: as `hub.source` has them.
        config: of the model, as `AutoConfig` reads it.
        ignore_mismatched_sizes: whether weights of another size, a head's of other labels, are made anew.

    Raises ModelUnavailable for damaged weights or an unknown head, and what the library raises.
    """
    options: dict[str, Any] = {
        "config": config,
        "dtype": "float32",
        "output_loading_info": True,
        "local_files_only": local_files_only,
        "ignore_mismatched_sizes": ignore_mismatched_sizes,
    }
    weights, own = stored_weights(name, local_files_only), own_class(config)
    if weights is None:
        loaded = (own or AutoModelForSequenceClassification).from_pretrained(name, **options)
    else:
        kind = own or cast("type[PreTrainedModel]", MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)])
        loaded = kind.from_pretrained(None, state_dict=weights, **options)
    return cast("tuple[PreTrainedModel, Report]", loaded)  # both, for `output_loading_info`


def own_class(config: PreTrainedConfig) -> type[PreTrainedModel] | None:
    """The class for a model that the library cannot run as its config has it; None where the library can.

    Raises ModelUnavailable for a `classifier_pooling` that is not known for this architecture.
    """
    pooling = getattr(config, "classifier_pooling", "cls")
    if pooling == "cls" or hasattr(type(config), "classifier_pooling"):  # ModernBERT's own
        return None
    if pooling != "mean" or config.model_type != "bert":
        raise ModelUnavailable(
            f"The model's config.json has classifier_pooling {pooling!r}: "
            f'{config.model_type} takes "cls"{" or mean" * (config.model_type == "bert")}.'
        )
    from sluice.worker.model.mean import MeanBertForSequenceClassification

    return MeanBertForSequenceClassification


def stored_weights(name: str, local_files_only: bool) -> dict[str, Tensor] | None:
    """The weights that only `storage` can read; None where the library can."""
    file = cached_file(
        name, storage.FILE, local_files_only=local_files_only, _raise_exceptions_for_missing_entries=False
    )
    return None if file is None else storage.read(Path(file))
