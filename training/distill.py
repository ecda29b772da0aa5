"""Trained classifiers as teachers: what they answer is learned beside the labels.

Method: Hinton, Vinyals, Dean (2015), "Distilling the Knowledge in a Neural Network", arXiv:1503.02531.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.base import Classifier

BATCH = 64


@dataclass(frozen=True)
class TeacherModel:
    """The loader's settings for a teacher, whatever the service's settings are."""

    model: str
    max_text_length: int
    device: str
    mbert_model_path: str | None = None
    use_fp16: bool = True
    precision: str = "fp32"
    packed: bool = True


class Teachers:
    """Mean answers of several classifiers, each text asked once a run.

    Args:
        classifiers: loaded as the service loads them.
        labels: the order of the columns of what comes out.
        temperature: above 1 softens their answers: each is its probabilities to the power of one over it.

    Raises:
        ModelUnavailable: a classifier has other labels.
    """

    def __init__(self, classifiers: Sequence[Classifier], labels: Sequence[str], temperature: float = 1.0) -> None:
        for one in classifiers:
            if set(one.labels) != set(labels):
                raise ModelUnavailable(
                    f"The teacher {one.info.name} answers {', '.join(one.labels)}, and the data has "
                    f"{', '.join(labels)}: give --teacher-model a model of the same labels."
                )
        self._classifiers = tuple(classifiers)
        self._columns = [[one.labels.index(label) for label in labels] for one in classifiers]
        self._temperature = temperature
        self._known: dict[str, np.ndarray] = {}

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities, float32 (texts, labels)."""
        new = sorted({text for text in texts if text not in self._known}, key=len)
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            predictions = [
                self._softened(np.asarray(one.forward(one.encode(batch)), dtype=np.float32)[:, columns])
                for one, columns in zip(self._classifiers, self._columns, strict=True)
            ]
            self._known.update(zip(batch, np.mean(predictions, axis=0), strict=True))
        return np.stack([self._known[text] for text in texts])

    def _softened(self, predictions: np.ndarray) -> np.ndarray:
        if self._temperature == 1:
            return predictions
        softer = predictions ** (1 / self._temperature)
        return np.asarray(softer / softer.sum(axis=1, keepdims=True), dtype=np.float32)
