"""Small random classifiers of every architecture that runs packed, and the library's own answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from sluice.worker.model.mean import MeanBertForSequenceClassification
from sluice.worker.model.torch_classifier import pad

VOCABULARY = 200
POSITIONS = 100
SHARED: dict[str, Any] = {"vocab_size": VOCABULARY, "num_labels": 3, "initializer_range": 0.1}
BERT: dict[str, Any] = {
    **SHARED,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
}


def bert(**options: Any) -> Any:
    return BertForSequenceClassification(BertConfig(**{**BERT, "max_position_embeddings": POSITIONS, **options}))


def mean_bert(**options: Any) -> Any:
    shape = {"max_position_embeddings": POSITIONS, "classifier_pooling": "mean"}
    return MeanBertForSequenceClassification(BertConfig(**{**BERT, **shape, **options}))


def distilbert(**options: Any) -> Any:
    shape = {"dim": 48, "n_layers": 3, "n_heads": 4, "hidden_dim": 96, "max_position_embeddings": POSITIONS}
    return DistilBertForSequenceClassification(DistilBertConfig(**{**SHARED, **shape, **options}))


def roberta(**options: Any) -> Any:
    return RobertaForSequenceClassification(RobertaConfig(**past_padding(options)))


def xlm_roberta(**options: Any) -> Any:
    return XLMRobertaForSequenceClassification(XLMRobertaConfig(**past_padding(options)))


def past_padding(options: dict[str, Any]) -> dict[str, Any]:
    """RoBERTa's numbering: positions start behind the padding's id, so two more are needed for the same length."""
    return {**BERT, "max_position_embeddings": POSITIONS + 2, "pad_token_id": 1, "type_vocab_size": 1, **options}


MAKERS: dict[str, Callable[..., Any]] = {
    "bert": bert,
    "mean_bert": mean_bert,
    "distilbert": distilbert,
    "roberta": roberta,
    "xlm_roberta": xlm_roberta,
}


def make(name: str, seed: int = 5, **options: Any) -> Any:
    """A classifier with fixed random weights, norms and biases included."""
    torch.manual_seed(seed)
    model = MAKERS[name](**options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def expected(library: Any, batch: Sequence[list[int]]) -> torch.Tensor:
    """The library's logits, (messages, labels), from its padded forward."""
    ids, mask = pad(batch, library.config.pad_token_id)
    with torch.inference_mode():
        logits: torch.Tensor = library(torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).logits
    return logits
