"""Envelopes that came back more than once: they run alone, piece by piece, until only the guilty message is left.

A worker that dies gives back all that it held. One of these envelopes may have been the reason, so each is tried by
itself: a few of its messages at a time, with nothing else in the model. Before a piece enters the model that is
noted in the result store, and struck out when it is answered; a note that is left says that a worker ended there. Then
its halves are tried, and so on. A single message at which workers ended ``MOST_ENDS`` times is given up; all others get
their answers. A worker that is killed from outside leaves a note too: that costs a try, and nobody an answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sluice.tasks.errors import TooManyDeliveries
from sluice.worker.delivery.patience import Patiently
from sluice.worker.engine.mail import Alone, Begin, InFlightEnvelope, Outcome, Trial

#: Messages tried together: few enough for any batch.
PIECE = 16
#: Workers that may end with one message alone in the model.
MOST_ENDS = 3

Piece = tuple[int, int]
"""The first message of an envelope that is in it, and the first that is not any more."""
Ends = Mapping[Piece, int]
"""How often a worker ended with this piece alone in the model."""


class Notes(Protocol):
    """Where the workers that come later find what this one was trying."""

    def note_trial(self, envelope: InFlightEnvelope, piece: Piece, change: int) -> None: ...
    def forget_trials(self, envelope: InFlightEnvelope) -> None: ...


@dataclass(slots=True, eq=False)
class Suspect:
    """An envelope with what is left of it to try; ``piece`` is what runs now."""

    envelope: InFlightEnvelope
    ends: Ends
    left: deque[Piece] = field(init=False)
    piece: Piece | None = None

    def __post_init__(self) -> None:
        self.left = deque(plan(len(self.envelope.messages), self.ends))

    def answered(self) -> bool:
        """Whether every message of the piece is."""
        return self.piece is not None and None not in self.envelope.answers[slice(*self.piece)]


class Quarantine:
    """The suspects, and the one of them that runs now. Owned by the result writer.

    Args:
        notes: the result store.
        patiently: runs an action until the store takes it; raises ``Interrupted`` when the worker must end.
        to_batcher: gets ``Trial`` and ``Begin``.
        generation: of the broker connection now; what came over an older one is delivered again.
    """

    def __init__(
        self,
        notes: Notes,
        patiently: Patiently,
        to_batcher: Callable[[Trial | Begin], None],
        generation: Callable[[], int],
    ) -> None:
        self._notes = notes
        self._patiently = patiently
        self._to_batcher = to_batcher
        self._generation = generation
        self._suspects: list[Suspect] = []
        self._current: Suspect | None = None

    def suspect(self, envelope: InFlightEnvelope, ends: Ends) -> None:
        """It has come back twice: it may be what stopped its workers."""
        self._suspects.append(Suspect(envelope, ends))

    def alone(self, note: Alone) -> None:
        """Nothing else is in the model: from here on, the end of this worker is held against the piece."""
        trial = note.trial
        self._patiently(lambda: self._notes.note_trial(trial.envelope, (trial.first, trial.end), 1))
        self._to_batcher(Begin(trial))

    def end(self, envelope: InFlightEnvelope) -> None:
        """``envelope`` is finished, whether it was on trial or not."""
        if self._current is not None and envelope is self._current.envelope:
            self._current = None
            self._patiently(lambda: self._notes.forget_trials(envelope))

    def go_on(self) -> list[Outcome]:
        """Let the next piece run, if none does; returns the answers of messages that are refused instead."""
        refused: list[Outcome] = []
        current = self._on_trial()
        while current is not None and current.piece is None and current.left:
            piece = current.left.popleft()
            ends = current.ends.get(piece, 0)
            if piece[1] - piece[0] == 1 and ends >= MOST_ENDS:
                error = TooManyDeliveries(f"given up: {ends} workers ended while they ran this message alone")
                refused.append(Outcome([[(current.envelope, piece[0])]], [error], "refused"))
            else:
                current.piece = piece
                self._to_batcher(Trial(current.envelope, *piece))
        return refused

    def _on_trial(self) -> Suspect | None:
        """The envelope on trial, or the next: one at which the fewest workers ended, so that innocents go first."""
        now, current = self._generation(), self._current
        if current is not None and current.envelope.generation >= now:
            if current.answered():
                envelope, piece = current.envelope, current.piece
                assert piece is not None
                current.piece = None
                self._patiently(lambda: self._notes.note_trial(envelope, piece, -1))
            return current
        self._suspects = [one for one in self._suspects if one.envelope.generation >= now]
        self._current = min(self._suspects, key=lambda one: sum(one.ends.values()), default=None)
        if self._current is not None:
            self._suspects.remove(self._current)
        return self._current


def plan(messages: int, ends: Ends) -> Iterator[Piece]:
    """What to try of an envelope, in order: pieces at which no worker has ended yet, and single messages."""
    for first in range(0, messages, PIECE):
        yield from _halved((first, min(messages, first + PIECE)), ends)


def _halved(piece: Piece, ends: Ends) -> Iterator[Piece]:
    first, end = piece
    if end - first == 1 or not ends.get(piece):
        yield piece
        return
    middle = (first + end) // 2
    yield from _halved((first, middle), ends)
    yield from _halved((middle, end), ends)
