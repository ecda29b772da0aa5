"""What one epoch of training sees: the data, templates, obfuscated and damaged copies, and spliced messages."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sluice.training.data import Example
from sluice.training.notices import make_notices
from sluice.training.obfuscate import obfuscate, typos
from sluice.training.templates import make_examples

Labeller = Callable[[Sequence[str]], np.ndarray]
"""Texts in, probabilities, float32 (texts, labels), out."""


@dataclass(frozen=True)
class MixOptions:
    """How many messages of each kind an epoch gets, as a share of the data."""

    templates: float = 0.5
    notices: float = 0.4
    """Of banks, carriers, shops and authorities, with their phishing twins; where templates are learned from."""
    obfuscated: float = 0.2
    """Of spam and phishing, templates included."""
    damaged: float = 0.05
    """With typing slips."""
    spliced: float = 0.6
    """Halves of two of the data's messages, labelled by the teacher."""
    teacher_share: float = 0.5
    """Weight of the teacher's opinion in the targets of the data's own messages."""
    model_share: float = 0.5
    """Weight of trained classifiers' answers in the targets of all messages, where there are such teachers."""
    draws: int = 2
    """Epochs after which the messages made come again, where classifiers are asked about each."""


class Mix:
    """Draws the epochs of one training run."""

    def __init__(
        self,
        examples: Sequence[Example],
        labels: Sequence[str],
        options: MixOptions,
        opinions: np.ndarray | None = None,
        teacher: Labeller | None = None,
        templates: bool = True,
        models: Labeller | None = None,
    ) -> None:
        """`opinions` and `teacher` are the linear teachers'; `models` are trained classifiers."""
        self._examples = list(examples)
        self._labels = list(labels)
        self._options = options
        self._teacher = teacher
        self._templates = templates
        self._models = models
        self._targets = self._one_hot(self._examples)
        if opinions is not None:
            share = options.teacher_share * self._open(len(self._examples))
            self._targets = (1 - share) * self._targets + share * opinions

    def _open(self, count: int) -> np.ndarray:
        """(count, 1): 0 for the data's messages that a person has corrected, whose label stands; else 1."""
        weights = np.ones((count, 1), dtype=np.float32)
        weights[: len(self._examples), 0] = [not one.reviewed for one in self._examples]
        return weights

    def _one_hot(self, examples: Sequence[Example]) -> np.ndarray:
        numbers = [self._labels.index(example.label) for example in examples]
        return np.eye(len(self._labels), dtype=np.float32)[numbers]

    def draw(self, seed: int) -> tuple[list[str], np.ndarray]:
        """The texts of one epoch, not shuffled, and their targets, float32 (texts, labels)."""
        if self._models is not None:
            seed %= self._options.draws
        rng = random.Random(seed)
        count = len(self._examples)
        texts = [example.text for example in self._examples]
        parts = [self._targets]
        if self._templates and self._options.templates:
            made = make_examples(int(count * self._options.templates), rng.randrange(2**31))
            made += make_notices(int(count * self._options.notices), rng.randrange(2**31))
            texts += [example.text for example in made]
            parts.append(self._one_hot(made))
        plain = list(texts)
        for share, change in ((self._options.obfuscated, obfuscate), (self._options.damaged, typos)):
            rows = self._choose(int(count * share), np.concatenate(parts), rng, bad_only=change is obfuscate)
            parts.append(np.concatenate(parts)[rows])
            plain += [plain[row] for row in rows]
            texts += [change(texts[row], rng) for row in rows]
        if self._teacher is not None and self._options.spliced:
            own = texts[:count]
            spliced = [splice(rng.choice(own), rng.choice(own), rng) for _ in range(int(count * self._options.spliced))]
            texts += spliced
            plain += spliced
            parts.append(self._teacher(spliced))
        targets = np.concatenate(parts).astype(np.float32)
        if self._models is not None:
            weight = self._options.model_share * self._open(len(texts))
            targets = np.asarray((1 - weight) * targets + weight * self._models(plain), dtype=np.float32)
        return texts, targets

    def _choose(self, count: int, targets: np.ndarray, rng: random.Random, bad_only: bool) -> list[int]:
        """Row numbers; with `bad_only`, nine in ten of them are not ham."""
        rows = range(len(targets))
        if not bad_only or "ham" not in self._labels:
            return rng.choices(rows, k=count)
        ham = self._labels.index("ham")
        bad = [row for row in rows if targets[row].argmax() != ham]
        return [rng.choice(bad) if bad and rng.random() < 0.9 else rng.choice(rows) for _ in range(count)]


def disguised(examples: Sequence[Example], seed: int) -> list[Example]:
    """The same messages, all but ham obfuscated."""
    rng = random.Random(seed)
    return [one if one.label == "ham" else replace(one, text=obfuscate(one.text, rng)) for one in examples]


def splice(first: str, second: str, rng: random.Random) -> str:
    """The beginning of one message and the end of another, cut between words or, without words, anywhere."""
    head, tail = first.split(" "), second.split(" ")
    if len(head) < 3 or len(tail) < 3:
        return first[: rng.randrange(1, len(first) + 1)] + second[rng.randrange(len(second)) :]
    return " ".join(head[: rng.randrange(1, len(head))] + tail[rng.randrange(1, len(tail)) :])
