"""The library's model of a folder or hub id, whatever form its weights are stored in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, AutoModelForSequenceClassification
from transformers.utils import cached_file

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model import storage


def read_library(name: str, config: Any, **options: Any) -> tuple[Any, dict[str, Any]]:
    """A classifier in float32 and the library's report on its weights (`missing_keys`, `mismatched_keys`, …).

    Args:
        name, options: as `hub.source` has them, and what else `from_pretrained` takes.
        config: of the model, as `AutoConfig` reads it.

    Raises ModelUnavailable for damaged weights or an unknown head, and what the library raises.
    """
    options = {**options, "config": config, "dtype": "float32", "output_loading_info": True}
    weights, own = stored_weights(name, **options), own_class(config)
    if weights is None:
        return (own or AutoModelForSequenceClassification).from_pretrained(name, **options)
    kind: Any = own or MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)]
    return kind.from_pretrained(None, state_dict=weights, **options)


def own_class(config: Any) -> Any:
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


def stored_weights(name: str, *, local_files_only: bool = False, **_: Any) -> dict[str, Any] | None:
    """The weights that only `storage` can read; None where the library can."""
    file = cached_file(
        name, storage.FILE, local_files_only=local_files_only, _raise_exceptions_for_missing_entries=False
    )
    return None if file is None else storage.read(Path(file))
