"""A BERT whose head reads the mean over a message's tokens, as encoders made for sentence vectors want it."""

from __future__ import annotations

from torch import Tensor
from transformers import BertForSequenceClassification
from transformers.modeling_outputs import SequenceClassifierOutput


class MeanBertForSequenceClassification(BertForSequenceClassification):
    """The library's classifier with the mean of the last layer, padding left out, in place of the first position.

    Its folders are BERT's, with `"classifier_pooling": "mean"` in config.json.
    """

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **options: object) -> SequenceClassifierOutput:
        """Logits, (messages, labels). `input_ids` and `attention_mask` are int64 (messages, longest)."""
        hidden = self.bert(input_ids, attention_mask=attention_mask, **options).last_hidden_state
        real = attention_mask[..., None].to(hidden.dtype)
        mean = (hidden * real).sum(dim=1) / real.sum(dim=1)
        pooler = self.bert.pooler
        assert pooler is not None
        pooled = self.dropout(pooler.activation(pooler.dense(mean)))
        return SequenceClassifierOutput(logits=self.classifier(pooled))
