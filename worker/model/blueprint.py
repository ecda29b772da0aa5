"""The parts of a BERT-like classifier, named alike whatever the architecture calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN

if TYPE_CHECKING:  # at run time, none of the library's model files is imported for another's sake
    from transformers import PreTrainedModel
    from transformers.models.bert.modeling_bert import BertForSequenceClassification, BertLayer, BertModel
    from transformers.models.distilbert.modeling_distilbert import (
        DistilBertForSequenceClassification,
        TransformerBlock,
    )
    from transformers.models.roberta.modeling_roberta import (
        RobertaForSequenceClassification,
        RobertaModel,
    )


@dataclass(frozen=True)
class Layer:
    """One encoder layer, norms after the sums."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    attended: nn.Linear
    attended_norm: nn.LayerNorm
    wide: nn.Linear
    narrow: nn.Linear
    norm: nn.LayerNorm


@dataclass(frozen=True)
class Blueprint:
    """A whole classifier: embeddings, layers, and a head that reads the first position or the mean over all."""

    words: Tensor
    """(vocabulary, width)."""
    positions: Tensor
    """(positions, width)."""
    segment: Tensor | None
    """(width,), added to every token; None where the architecture has no segments."""
    embedded_norm: nn.LayerNorm
    pad_id: int | None
    """Where set, positions count from the next number on, and every token with this id stands at it (RoBERTa)."""
    layers: tuple[Layer, ...]
    heads: int
    activation: Callable[[Tensor], Tensor]
    pooler: nn.Linear
    pooled: Callable[[Tensor], Tensor]
    classifier: nn.Linear
    mean: bool = False
    """Whether the head reads the mean over a message's tokens."""


def read(model: nn.Module) -> Blueprint | None:
    """The parts of `model`; None for another architecture, or a variant that computes something else."""
    reader = READERS.get(type(model).__name__)
    config = getattr(model, "config", None)
    if reader is None or not type(model).__module__.startswith(ORIGINS) or config is None:
        return None
    absolute = getattr(config, "position_embedding_type", None) in (None, "absolute")
    decodes = getattr(config, "is_decoder", False) or getattr(config, "add_cross_attention", False)
    return reader(model) if absolute and not decodes else None


def _bert(model: BertForSequenceClassification) -> Blueprint:
    pooler = model.bert.pooler
    assert pooler is not None
    return _like_bert(model, model.bert, pooler.dense, model.classifier, pad_id=None)


def _mean_bert(model: BertForSequenceClassification) -> Blueprint:
    return replace(_bert(model), mean=True)


def _roberta(model: RobertaForSequenceClassification) -> Blueprint:
    head = model.classifier
    return _like_bert(model, model.roberta, head.dense, head.out_proj, pad_id=model.roberta.embeddings.padding_idx)


def _like_bert(
    model: PreTrainedModel, base: BertModel | RobertaModel, pooler: nn.Linear, classifier: nn.Linear, pad_id: int | None
) -> Blueprint:
    embeddings = base.embeddings
    return Blueprint(
        words=embeddings.word_embeddings.weight,
        positions=embeddings.position_embeddings.weight,
        segment=embeddings.token_type_embeddings.weight[0],
        embedded_norm=embeddings.LayerNorm,
        pad_id=pad_id,
        layers=tuple(_like_bert_layer(cast("BertLayer", layer)) for layer in base.encoder.layer),
        heads=model.config.num_attention_heads,
        activation=_activation(model.config.hidden_act),
        pooler=pooler,
        pooled=torch.tanh,
        classifier=classifier,
    )


def _like_bert_layer(layer: BertLayer) -> Layer:
    attention, output = layer.attention.self, layer.attention.output
    return Layer(
        query=attention.query,
        key=attention.key,
        value=attention.value,
        attended=output.dense,
        attended_norm=output.LayerNorm,
        wide=layer.intermediate.dense,
        narrow=layer.output.dense,
        norm=layer.output.LayerNorm,
    )


def _distilbert(model: DistilBertForSequenceClassification) -> Blueprint:
    embeddings = model.distilbert.embeddings
    return Blueprint(
        words=embeddings.word_embeddings.weight,
        positions=embeddings.position_embeddings.weight,
        segment=None,
        embedded_norm=embeddings.LayerNorm,
        pad_id=None,
        layers=tuple(
            _distilbert_layer(cast("TransformerBlock", layer)) for layer in model.distilbert.transformer.layer
        ),
        heads=model.config.n_heads,
        activation=_activation(model.config.activation),
        pooler=model.pre_classifier,
        pooled=torch.relu,
        classifier=model.classifier,
    )


def _distilbert_layer(layer: TransformerBlock) -> Layer:
    return Layer(
        query=layer.attention.q_lin,
        key=layer.attention.k_lin,
        value=layer.attention.v_lin,
        attended=layer.attention.out_lin,
        attended_norm=layer.sa_layer_norm,
        wide=layer.ffn.lin1,
        narrow=layer.ffn.lin2,
        norm=layer.output_layer_norm,
    )


def _activation(name: str | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    chosen: Callable[[Tensor], Tensor] = ACT2FN[name] if isinstance(name, str) else name
    return chosen


ORIGINS = ("transformers.models.", "sluice.worker.model.")
"""Of classes that are what their names say."""
READERS: Mapping[str, Callable[[Any], Blueprint]] = {
    "BertForSequenceClassification": _bert,
    "DistilBertForSequenceClassification": _distilbert,
    "MeanBertForSequenceClassification": _mean_bert,
    "RobertaForSequenceClassification": _roberta,
    "XLMRobertaForSequenceClassification": _roberta,
}
"""By class name, so that none of the library's model files is imported for another's sake."""
