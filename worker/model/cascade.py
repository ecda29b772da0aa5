"""Two models in a row: a small one that lets clear ham pass, and a large one for every message it is not sure of."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.base import Classifier, ModelInfo
from sluice.worker.model.card import CARD_FILE, model_info, read_card
from sluice.worker.model.labels import HAM

log = logging.getLogger(__name__)

LEAST_SURE = 0.5
BITS = 31
"""Of each model's part in an id; with two of them it is still a number of 64 bits."""
NONE = (1 << BITS) - 1
"""Stands for the part of a model that has fewer tokens."""


@dataclass(frozen=True)
class Plan:
    """What a folder's `sluice.json` says under `cascade`."""

    first: str
    then: str
    sure: float
    """From this probability of ham on, the first model's answer stands."""


def read_plan(folder: Path) -> Plan | None:
    """`{"cascade": {"first": "../sms-mini", "then": "../sms-base", "sure": {"ham": 0.98}}}`; None without a cascade.

    Paths are relative to the folder.

    Raises ModelUnavailable for a plan that cannot be followed.
    """
    stated = read_card(folder).get("cascade")
    if stated is None:
        return None
    if not isinstance(stated, Mapping) or set(stated) != {"first", "then", "sure"}:
        raise _wrong(folder, "needs first, then and sure, and nothing else")
    first, then = (_member(folder, name, stated[name]) for name in ("first", "then"))
    return Plan(first, then, _sure(folder, stated["sure"]))


def _member(folder: Path, name: str, stated: object) -> str:
    path = folder / str(stated)
    if not isinstance(stated, str) or not path.is_dir():
        raise _wrong(folder, f"names no model folder as {name} ({str(path)!r})")
    return str(path)


def _sure(folder: Path, stated: object) -> float:
    """A block is never the first model's alone, so no other label than ham may be."""
    if not isinstance(stated, Mapping) or set(stated) != {HAM}:
        raise _wrong(folder, f'needs sure for ham alone, {{"{HAM}": 0.98}}')
    value = stated[HAM]
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_SURE < value <= 1:
        raise _wrong(folder, f"needs sure.ham over {LEAST_SURE} and up to 1, and has {value!r}")
    return float(value)


def _wrong(folder: Path, why: str) -> ModelUnavailable:
    return ModelUnavailable(f"The cascade of {folder / CARD_FILE} {why}: correct it, or set SLUICE_MODEL to another.")


def load_cascade(folder: Path, plan: Plan, load: Callable[[str], Classifier]) -> Cascade:
    """Loads both models, each in the precision that suits it.

    Raises ModelUnavailable when one cannot be had, or their labels are not the same.
    """
    first, then = load(plan.first), load(plan.then)
    if first.labels != then.labels:
        raise _wrong(folder, f"joins labels {', '.join(first.labels)} with {', '.join(then.labels)}")
    if HAM not in first.labels:
        raise _wrong(folder, f"joins models without the label {HAM}")
    names = [f"{one.info.name} {one.info.version}" for one in (first, then)]
    info = model_info(str(folder), folder, {"architectures": [" then ".join(names)]}, first.labels)
    _check_thresholds(folder, plan, info)
    return Cascade(first, then, plan.sure, info)


def _check_thresholds(folder: Path, plan: Plan, info: ModelInfo) -> None:
    """The first model's answers leave the other labels at most `1 - sure`, which must not be acted on."""
    limits = [limit for one in (info.thresholds or {}).values() for limit in (one.flag, one.block) if limit is not None]
    if limits and min(limits) <= 1 - plan.sure:
        raise _wrong(
            folder, f"acts on labels from {min(limits)} on, and needs sure.ham over {1 - min(limits):g} for it"
        )
    if info.temperature != 1:
        raise _wrong(folder, "has a temperature of its own, and the models have theirs")


class Cascade:
    """Answers with the first model where it calls a message ham with at least `sure`, and with the second elsewhere.

    A message's answer is that of one of the two, to the bit, and which of them follows from the message alone. Each
    id of an encoded message carries both models' tokens of that position, so it is as long as the longer of the two.

    Attributes:
        answered, sent_on: messages so far, and how many of them the second model answered.
    """

    unknown_id: int | None = None
    """An id stands for pieces of two tokenizers."""

    def __init__(self, first: Classifier, then: Classifier, sure: float, info: ModelInfo) -> None:
        self.info = info
        self.labels = first.labels
        self.device = first.device
        self.precision = " then ".join(dict.fromkeys((first.precision, then.precision)))
        self.padded = first.padded or then.padded
        self.answered = self.sent_on = 0
        self._first, self._then, self._sure = first, then, sure
        self._ham = first.labels.index(HAM)
        self._share = 1.0

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """One list of ids for each text: what both tokenizers make of it, position by position."""
        both = zip(self._first.encode(texts), self._then.encode(texts), strict=True)
        return [_join(first, then) for first, then in both]

    def forward(self, batch: Sequence[list[int]]) -> list[list[float]]:
        """Probabilities shaped (messages, labels)."""
        pairs = [_part(ids) for ids in batch]
        answers = self._first.forward([first for first, _ in pairs])
        unsure = [row for row, answer in enumerate(answers) if not self._is_sure(answer)]
        for row, answer in zip(unsure, self._then.forward([pairs[row][1] for row in unsure]), strict=True):
            answers[row] = answer
        self.answered += len(batch)
        self.sent_on += len(unsure)
        return answers

    def _is_sure(self, answer: Sequence[float]) -> bool:
        return answer[self._ham] >= self._sure

    def forward_as_expected(self, batch: Sequence[list[int]]) -> None:
        """Runs a batch, whatever it holds, with the share sent on that was found in `warm_up`; until then all of it."""
        pairs = [_part(ids) for ids in batch]
        self._first.forward([first for first, _ in pairs])
        self._then.forward([then for _, then in pairs[: math.ceil(self._share * len(pairs))]])

    def warm_up(self, max_batch: int) -> None:
        """Both models' own, for any share of a batch may be sent on; and finds that of the golden messages."""
        self._first.warm_up(max_batch)
        self._then.warm_up(max_batch)
        from sluice.worker.model.golden import golden_texts

        messages = self._first.encode(golden_texts())
        batches = (messages[row : row + max_batch] for row in range(0, len(messages), max_batch))
        sure = sum(self._is_sure(answer) for batch in batches for answer in self._first.forward(batch))
        self._share = 1 - sure / len(messages)
        log.info("%s reckons with %.0f%% of messages sent on", self.info.name, 100 * self._share)

    def is_out_of_memory(self, exc: BaseException) -> bool:
        """Whether either model ran out of memory."""
        return self._first.is_out_of_memory(exc) or self._then.is_out_of_memory(exc)

    def is_fatal(self, exc: BaseException) -> bool:
        """Whether either model lost its device."""
        return self._first.is_fatal(exc) or self._then.is_fatal(exc)


def _join(first: Sequence[int], then: Sequence[int]) -> list[int]:
    """Both models' ids in one list, as long as the longer; a beginning of it holds the beginnings of both."""
    return [one << BITS | other for one, other in zip_longest(first, then, fillvalue=NONE)]


def _part(ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """What `_join` joined."""
    pairs = [(one >> BITS, one & NONE) for one in ids]
    return [first for first, _ in pairs if first != NONE], [then for _, then in pairs if then != NONE]
