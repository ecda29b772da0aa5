"""Label entries out of a batch's answers."""

from __future__ import annotations

from collections.abc import Iterator

from sluice.tasks.errors import SluiceError
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.wire.entry import Entry, failure, named, prediction
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
            richer: dict[PredictionOptions, Entry] = {}
            for envelope, index in refs:
                facts, options = plain, envelope.options
                if options is not LABEL_ONLY:
                    facts = richer.get(options) or richer.setdefault(options, self.facts(answer, options))
                message_id = envelope.messages[index].id
                yield envelope, index, named(facts, message_id) if message_id is not None else facts

    def facts(self, answer: Answer, options: PredictionOptions = LABEL_ONLY) -> Entry:
        """The entry of an answer, as far as it is the same for every message that gets it; an error has no options."""
        if isinstance(answer, SluiceError):
            return failure(None, answer.code, answer.message)
        probability = max(answer)
        entry = prediction(None, self._labels[answer.index(probability)], probability, self._model, self._version)
        if options.scores:
            entry["scores"] = dict(zip(self._labels, answer, strict=True))
        if options.verdict:
            entry["verdict"], entry["rule"] = self._judge.verdict(answer)
        return entry
