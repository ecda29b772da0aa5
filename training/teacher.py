"""The linear teachers: character n-grams and logistic regression, on text as it comes and as it is meant.

They label invented texts for the small model.
Method: Hinton, Vinyals, Dean (2015), "Distilling the Knowledge in a Neural Network", arXiv:1503.02531.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline, make_union

from sluice.training.tokenizer import normalizer

FOLDS = 3
ROUNDS = 120
"""Of the solver, at most; more changes no answer that matters."""


def char_logistic(seed: int) -> Any:
    """Character n-grams of 2 to 5, logistic regression with balanced classes."""
    return make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True),
        LogisticRegression(C=20, max_iter=ROUNDS, tol=1e-3, class_weight="balanced", random_state=seed),
    )


class Teacher:
    """Averages two logistic regressions: over the text as written, and over the normalised text."""

    def __init__(self, seed: int = 0) -> None:
        self._normalizer = normalizer()
        self._raw = char_logistic(seed)
        words = TfidfVectorizer(
            analyzer="word", ngram_range=(1, 2), min_df=2, sublinear_tf=True, tokenizer=str.split, token_pattern=None
        )
        chars = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(1, 6), min_df=2, sublinear_tf=True, max_features=300_000
        )
        self._meant = make_pipeline(
            make_union(words, chars),
            LogisticRegression(C=30, max_iter=ROUNDS, tol=1e-3, class_weight="balanced", random_state=seed),
        )

    def _normalize(self, texts: Sequence[str]) -> list[str]:
        return [self._normalizer.normalize_str(text) for text in texts]

    def fit(self, texts: Sequence[str], labels: Sequence[int]) -> Teacher:
        """Learns from texts and label numbers."""
        self._raw.fit(texts, labels)
        self._meant.fit(self._normalize(texts), labels)
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities, float32 (texts, labels)."""
        raw = self._raw.predict_proba(texts)
        meant = self._meant.predict_proba(self._normalize(texts))
        return np.asarray(0.35 * raw + 0.65 * meant, dtype=np.float32)


def held_out_labels(texts: Sequence[str], labels: Sequence[int], classes: int, seed: int) -> np.ndarray:
    """What teachers that never saw a text say of it, by folds.

    Returns probabilities, float32 (texts, classes).
    """
    predictions = np.zeros((len(texts), classes), dtype=np.float32)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for seen, unseen in folds.split(np.zeros(len(texts)), np.asarray(labels)):
        teacher = Teacher(seed).fit([texts[row] for row in seen], [labels[row] for row in seen])
        predictions[unseen] = teacher.predict([texts[row] for row in unseen])
    return predictions
