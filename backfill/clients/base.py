"""What carries texts to a model and answers back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sluice.tasks.envelope import ENVELOPE_MESSAGES
from sluice.tasks.wire.reply import IndexedEntries


@dataclass(frozen=True, slots=True)
class Demand:
    """How much suits whoever classifies: ``messages`` in one envelope, and the ``floor`` of messages under way."""

    messages: int = ENVELOPE_MESSAGES
    floor: int = 2 * ENVELOPE_MESSAGES


class ClassifierClient(Protocol):
    """Envelopes out, answers back, in any order. Not for several threads.

    It is opened and closed by its caller. Waiting in it ends soon when a stop is asked for: it raises ``Stopped``.
    """

    def labels(self) -> list[str]:
        """The model's labels; waits for a model to be there.

        Raises:
            ServiceNotRunning, BackendUnavailable: there is nobody to ask.
        """

    def require_verdicts(self) -> None:
        """Make sure that whoever answers gives verdicts; waits for a model to be there.

        Raises:
            InvalidInput: the model has no thresholds, or a worker is of a release that knows none.
            ServiceNotRunning, BackendUnavailable: there is nobody to ask.
        """

    def version(self) -> tuple[str, str] | None:
        """Name and version of the model that answers now; None if that is unknown or not one alone."""

    def demand(self) -> Demand:
        """What suits the workers of the moment; cheap, may be asked at any time."""

    def send(self, envelope_id: str, texts: Sequence[str]) -> None:
        """Take one envelope; waits for as long as the broker is away, once it has been there.

        Raises:
            BrokerUnavailable: it was never there.
        """

    def receive(self, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
        """What has come back, ``(envelope id, [(index, entry), …])``; waits up to ``timeout_s`` for the first.

        The same answer may come twice. Every envelope sent is answered in the end: what gets lost on the way is
        looked up or sent again.
        """

    def done(self, envelope_ids: Sequence[str]) -> None:
        """All answers of these envelopes have been taken: what is kept of them may go."""

    def abandon(self, envelope_ids: Sequence[str]) -> None:
        """Nobody waits for these envelopes any more: what has not run shall not; best effort, never an error."""
