"""A classifier that answers when the test says so, with what the text itself says."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from hashlib import blake2b

from sluice.backfill.clients.base import Demand, IndexedEntries
from sluice.tasks.wire.entry import Entry, failure, prediction

LABELS = ["ham", "spam", "phishing"]


def entry_for(text: str, version: str = "1") -> Entry:
    """What the fake model says: a label and a probability by the text's hash; POISON fails."""
    if "POISON" in text:
        return failure(None, "model_failed", "the model could not classify this message")
    seed = int.from_bytes(blake2b(text.encode(), digest_size=4).digest())
    entry = prediction(None, LABELS[seed % 3], (500 + seed % 500) / 1000, "fake", version)
    verdict = ("allow", "flag", "block")[seed % 3]
    return entry | {"scores": dict.fromkeys(LABELS, 0.25), "verdict": verdict, "rule": f"rule of {entry['label']}"}


class FakeClassifier:
    """Keeps what is sent; ``hold`` keeps answers back until ``let_go``, else they come at the next look."""

    def __init__(self, messages: int = 8, floor: int = 16) -> None:
        self.sent: list[tuple[str, list[str]]] = []
        self.coming: deque[tuple[str, IndexedEntries]] = deque()
        self.finished: list[str] = []
        self.abandoned: list[str] = []
        self.hold = False
        self.serving: tuple[str, str] | None = ("fake", "1")
        self._demand = Demand(messages, floor)

    @property
    def texts(self) -> list[str]:
        """Every text that was sent, in order."""
        return [text for _, texts in self.sent for text in texts]

    def labels(self) -> list[str]:
        return LABELS

    def require_verdicts(self) -> None:
        """It gives them."""

    def version(self) -> tuple[str, str] | None:
        return self.serving

    def demand(self) -> Demand:
        return self._demand

    def send(self, envelope_id: str, texts: Sequence[str]) -> None:
        self.sent.append((envelope_id, list(texts)))
        if not self.hold:
            self.let_go(len(self.sent) - 1)

    def let_go(self, number: int, *indices: int) -> None:
        """Let answers to some messages of the ``number``-th envelope come back, all by default."""
        identity, texts = self.sent[number]
        version = self.serving[1] if self.serving else "1"
        self.coming.append((identity, [(i, entry_for(texts[i], version)) for i in indices or range(len(texts))]))

    def receive(self, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
        found = list(self.coming)
        self.coming.clear()
        return found

    def done(self, envelope_ids: Sequence[str]) -> None:
        self.finished += envelope_ids

    def abandon(self, envelope_ids: Sequence[str]) -> None:
        self.abandoned += envelope_ids
