"""Label entries out of a batch's answers."""

from __future__ import annotations

from collections.abc import Iterator

from sluice.tasks.envelope import Entry, failed, labelled
from sluice.tasks.errors import SluiceError
from sluice.worker.message import Answer, Outcome, Received
from sluice.worker.model.base import Classifier


class Entries:
    """Makes the entries that the messages of an outcome get. Holds no state.

    Args:
        classifier: for the labels and names in the entries.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._labels = classifier.labels
        self._model, self._version = classifier.info.name, classifier.info.version

    def of(self, outcome: Outcome) -> Iterator[tuple[Received, int, Entry]]:
        """Envelope, position there and entry of every message; messages may share an entry: never change one."""
        for places, answer in zip(outcome.places, outcome.answers, strict=True):
            plain, full = self._facts(answer), None
            for envelope, index in places:
                facts = plain
                if envelope.scores:
                    facts = full = full or self._with_scores(plain, answer)
                message_id = envelope.messages[index].id
                yield envelope, index, {"id": message_id, **facts} if message_id is not None else facts

    def _facts(self, answer: Answer) -> Entry:
        """The entry of an answer, as far as it is the same for every message that gets it."""
        if isinstance(answer, SluiceError):
            return failed(None, answer.code, answer.message)
        probability = max(answer)
        return labelled(None, self._labels[answer.index(probability)], probability, self._model, self._version)

    def _with_scores(self, facts: Entry, answer: Answer) -> Entry:
        """``facts`` for those who asked for every label's probability; an error has none."""
        if isinstance(answer, SluiceError):
            return facts
        return {**facts, "scores": dict(zip(self._labels, answer, strict=True))}
