"""What the report tells of an output, gathered in one pass."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sluice.backfill.report import scripts
from sluice.backfill.report.campaigns import Campaigns, Facts
from sluice.backfill.report.daily import Daily
from sluice.backfill.report.examples import Examples
from sluice.backfill.report.pieces import Pieces
from sluice.backfill.report.read import Batch
from sluice.backfill.report.senders import Senders
from sluice.backfill.report.timeline import Timeline
from sluice.backfill.report.times import NEVER, Times

#: Bars of a histogram of probabilities from 0 to 1.
BINS = 20
#: Below these the model is called unsure; shape of ``Findings.unsure``.
UNSURE = (0.6, 0.8)

#: Labels that are no harm, and those that are, by the names they usually have.
WANTED = frozenset({"ham", "legit", "legitimate", "normal", "benign", "safe", "ok", "clean", "not_spam", "not spam"})
UNWANTED = frozenset({"spam", "phishing", "smishing", "scam", "fraud", "malicious", "malware", "abuse"})

_CODE = re.compile(r"[a-z][a-z_]{0,39}")
OTHER_ERROR = "other"


def unwanted_of(labels: Iterable[str]) -> frozenset[str]:
    """The labels that nobody wants: known ones, else all but those that are no harm; none if neither is known."""
    labels = frozenset(labels)
    known = frozenset(label for label in labels if label.casefold() in UNWANTED)
    fine = frozenset(label for label in labels if label.casefold() in WANTED)
    return known or (labels - fine if fine else frozenset())


class Findings:
    """Counts over the rows of an output.

    Attributes:
        labels: names by number, in the order in which they are met after those given at the start.
        counts: rows by label number.
        bins: shape (labels, BINS), rows by probability.
        unsure: shape (labels, len(UNSURE)), rows whose probability is below.
        by_script: shape (scripts, labels), rows by ``scripts.NAMES``; None without a text column.
        senders, unnamed: rows by sender, and rows without one; None without that column.
        timeline, times: rows by time; None without that column.
        confidence: probabilities of the labels by day.
        pieces: what the tokenizer does not know, by day; None where nobody can say.
        campaigns: groups of texts that read alike; None without a text column.
        errors: rows by error code.
        examples: None unless they are wanted.

    Args:
        examples: keep some texts, and what the messages of a campaign have in common.
    """

    def __init__(self, labels: Sequence[str] = (), *, examples: bool = False, pieces: Pieces | None = None) -> None:
        self.labels = list(labels)
        self.unwanted = unwanted_of(self.labels)
        self.rows = 0
        self.errors: Counter[str] = Counter()
        self.bins = np.zeros((len(self.labels), BINS), np.int64)
        self.unsure = np.zeros((len(self.labels), len(UNSURE)), np.int64)
        self.by_script: np.ndarray | None = None
        self.senders: Senders | None = None
        self.unnamed = 0
        self.times: Times | None = None
        self.timeline = Timeline()
        self.confidence = Daily()
        self.pieces = pieces
        self.campaigns: Campaigns | None = None
        self.examples = Examples() if examples else None

    @property
    def counts(self) -> np.ndarray:
        """Shape (labels,)."""
        counts: np.ndarray = self.bins.sum(axis=1)
        return counts

    def add(self, batch: Batch) -> None:
        """Count the rows of ``batch``."""
        row = np.arange(self.rows + 1, self.rows + len(batch) + 1)
        self.rows += len(batch)
        self._count_errors(batch.error)
        probability = batch.probability.fill_null(0.0).to_numpy(zero_copy_only=False)
        labels = self._numbers(batch.label)
        good = labels >= 0
        chosen = pa.array(good)
        labels, probability, row = labels[good], probability[good], row[good]
        text, sender = (None if column is None else column.filter(chosen) for column in (batch.text, batch.sender))
        self._count_probabilities(labels, probability)
        seconds = self._count_times(batch.time, good, labels, probability)
        if sender is not None:
            self._count_senders(sender, labels)
        if text is not None:
            self._count_scripts(text, labels)
            self._count_texts(Facts(row, labels, seconds, text, sender))
            if self.examples is not None:
                self.examples.add(text, labels, probability)

    def _count_times(
        self, time: pa.Array | None, good: np.ndarray, labels: np.ndarray, probability: np.ndarray
    ) -> np.ndarray:
        """Shape (labelled rows,): their seconds since 1970, or NEVER."""
        if time is None:
            return np.full(len(labels), NEVER)
        self.times = self.times or Times()
        seconds = self.times.seconds(time)[good]
        dated = seconds != NEVER
        self.timeline.add(seconds[dated], labels[dated])
        self.confidence.add(seconds[dated], probability[dated])
        return seconds

    def _count_texts(self, facts: Facts) -> None:
        self.campaigns = self.campaigns or Campaigns(texts=self.examples is not None)
        self.campaigns.add(facts)
        if self.pieces is not None:
            self.pieces.add(facts.row, facts.seconds, facts.text)

    def _numbers(self, label: pa.Array) -> np.ndarray:
        """Shape (rows,): the number of each row's label, -1 for none. Labels not met before get the next numbers."""
        encoded = label.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        for name in names:
            if name not in self.labels:
                self.labels.append(name)
                self.bins = np.vstack([self.bins, np.zeros((1, BINS), np.int64)])
                self.unsure = np.vstack([self.unsure, np.zeros((1, len(UNSURE)), np.int64)])
                if self.by_script is not None:
                    self.by_script = np.pad(self.by_script, ((0, 0), (0, 1)))
        self.unwanted = unwanted_of(self.labels)
        known = np.array([self.labels.index(name) for name in names] + [-1])
        numbers: np.ndarray = known[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
        return numbers

    def _count_errors(self, error: pa.Array) -> None:
        if error.null_count == len(error):
            return
        codes = pc.replace_substring_regex(error.drop_null(), r"(?s):.*$", "")
        for found in pc.value_counts(codes).to_pylist():
            code = found["values"] if _CODE.fullmatch(found["values"]) else OTHER_ERROR
            self.errors[code] += found["counts"]

    def _count_probabilities(self, labels: np.ndarray, probability: np.ndarray) -> None:
        place = np.clip((probability * BINS).astype(np.int64), 0, BINS - 1)
        np.add.at(self.bins, (labels, place), 1)
        for column, limit in enumerate(UNSURE):
            self.unsure[:, column] += np.bincount(labels[probability < limit], minlength=len(self.labels))

    def _count_scripts(self, texts: pa.Array, labels: np.ndarray) -> None:
        if self.by_script is None:
            self.by_script = np.zeros((len(scripts.NAMES), len(self.labels)), np.int64)
        np.add.at(self.by_script, (scripts.majority(texts), labels), 1)

    def _count_senders(self, sender: pa.Array, labels: np.ndarray) -> None:
        self.senders = self.senders or Senders()
        self.unnamed += sender.null_count
        encoded = sender.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        place = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
        bad = np.isin(labels, [number for number, name in enumerate(self.labels) if name in self.unwanted])
        rows = np.bincount(place, minlength=len(names)).tolist()
        unwanted = np.bincount(place[bad], minlength=len(names)).tolist()
        self.senders.add({name: (rows[at], unwanted[at]) for at, name in enumerate(names)})
