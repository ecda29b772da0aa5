"""Label entries out of a batch's answers."""

from __future__ import annotations

from collections.abc import Iterator

from sluice.tasks.envelope import Entry, failed, labelled
from sluice.tasks.errors import SluiceError
from sluice.tasks.wish import PLAIN, Wish
from sluice.worker.engine.mail import Answer, InFlightEnvelope, Outcome
from sluice.worker.model.base import Classifier
from sluice.worker.model.judge import Judge


class Entries:
    """Makes the entries that the messages of an outcome get. Holds no state.

    Args:
        classifier: for the labels and names in the entries.
        judge: for the verdicts.
    """

    def __init__(self, classifier: Classifier, judge: Judge) -> None:
        self._labels = classifier.labels
        self._model, self._version = classifier.info.name, classifier.info.version
        self._judge = judge

    def of(self, outcome: Outcome) -> Iterator[tuple[InFlightEnvelope, int, Entry]]:
        """Envelope, position there and entry of every message; messages may share an entry: never change one."""
        for refs, answer in zip(outcome.refs, outcome.answers, strict=True):
            plain = self.facts(answer)
            richer: dict[Wish, Entry] = {}
            for envelope, index in refs:
                facts, wish = plain, envelope.wish
                if wish is not PLAIN:
                    facts = richer.get(wish) or richer.setdefault(wish, self.facts(answer, wish))
                message_id = envelope.messages[index].id
                yield envelope, index, {"id": message_id, **facts} if message_id is not None else facts

    def facts(self, answer: Answer, wish: Wish = PLAIN) -> Entry:
        """The entry of an answer, as far as it is the same for every message that gets it; an error grants no wish."""
        if isinstance(answer, SluiceError):
            return failed(None, answer.code, answer.message)
        probability = max(answer)
        entry = labelled(None, self._labels[answer.index(probability)], probability, self._model, self._version)
        if wish.scores:
            entry["scores"] = dict(zip(self._labels, answer, strict=True))
        if wish.verdict:
            entry["verdict"], entry["rule"] = self._judge.verdict(answer)
        return entry
