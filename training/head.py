"""The classification head: what it reads of the encoder's last layer.

"first" is BERT's own: the state of the first position. "mean" is the mean over all tokens, for encoders that were
trained for it. Both go through the pooler and the classifier, under the library's names of the weights; which of them
a model has stands in its config.json as `classifier_pooling`, "cls" or "mean", the name that ModernBERT has for it.
"""

from __future__ import annotations

from typing import Any

from transformers import BertForSequenceClassification

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.mean import MeanBertForSequenceClassification

POOLING = {"first": "cls", "mean": "mean"}
"""The config's word for each head."""


def pooling(config: Any) -> str:
    """ "first" or "mean", as the config says."""
    return "mean" if getattr(config, "classifier_pooling", None) == "mean" else "first"


def set_head(model: Any, head: str) -> None:
    """Makes `model` read its last layer as `head` says, "first" or "mean"; its weights stay.

    Raises ModelUnavailable for an architecture that cannot.
    """
    own = hasattr(model.config, "classifier_pooling") and not isinstance(model, BertForSequenceClassification)
    if own:  # ModernBERT's head does either by itself
        model.config.classifier_pooling = POOLING[head]
    elif isinstance(model, BertForSequenceClassification):
        model.__class__ = MeanBertForSequenceClassification if head == "mean" else BertForSequenceClassification
        model.config.classifier_pooling = POOLING[head]
    elif head == "mean":
        raise ModelUnavailable(f"{type(model).__name__} cannot read the mean over tokens: set --head to first.")


def architecture(model: Any) -> str:
    """The class by which the library and the service know the model."""
    known = BertForSequenceClassification if isinstance(model, BertForSequenceClassification) else type(model)
    return str(known.__name__)
