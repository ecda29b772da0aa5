"""Plays the batcher thread and its neighbours to a scheduler, with times as they are given."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import assert_never

from sluice.tasks.errors import Revoked
from sluice.worker.engine.batching.former import Limits
from sluice.worker.engine.batching.policy import Policy
from sluice.worker.engine.commands import (
    Command,
    Emit,
    EncodeAside,
    EncodeHere,
    End,
    Event,
    LookUp,
    Recut,
    RunBatch,
    TakeBack,
    TakenBack,
)
from sluice.worker.engine.mail import Encoded, EncodedText, EngineNote, InFlightEnvelope
from sluice.worker.engine.scheduler import Scheduler

MOST_ROUNDS = 1000


class Driver:
    """Carries out what a scheduler asks for, as far as nothing takes time; holds the rest.

    Args:
        encode: the token ids of a chunk.
    """

    def __init__(
        self,
        policy: Policy,
        limits: Limits,
        *,
        encode: Callable[[list[str]], Encoded],
        revoked: Callable[[InFlightEnvelope], Revoked | None],
        cached: bool = False,
    ) -> None:
        self.now = 1000.0
        self.scheduler = Scheduler(policy, limits, revoked, cached=cached)
        self.encode = encode
        self.model: deque[list[EncodedText]] = deque()
        """Batches that the model has not begun."""
        self.lookups: deque[list[EncodedText]] = deque()
        self.chunks: deque[list[str]] = deque()
        """With the encoder's thread."""
        self.notes: list[EngineNote] = []
        self.recut_s = 0.0
        """How long cutting anew takes."""
        self.ended = False

    def tell(self, event: Event) -> None:
        self._execute(self.scheduler.handle(event, self.now))

    def due(self) -> None:
        self._execute(self.scheduler.due(self.now))

    def settle(self) -> None:
        """Everything that is due by now, as the thread does it."""
        self.due()
        for _ in range(MOST_ROUNDS):
            if self.ended or self.scheduler.wake_at() > self.now:
                return
            self.due()
        raise AssertionError("something is due for ever")

    def encode_aside(self) -> None:
        """The encoder's thread comes to its end."""
        self.tell(self.encode(self.chunks.popleft()))

    def run(self, batch: list[EncodedText]) -> None:
        """A batch is given to the model."""
        self.model.append(batch)

    def _execute(self, commands: Sequence[Command]) -> None:
        assert not (commands and self.ended), "asked for more after the end"
        for command in commands:
            match command:
                case RunBatch():
                    self.run(command.batch)
                case Emit():
                    self.notes.append(command.note)
                case EncodeHere():
                    self.tell(self.encode(command.texts))
                case EncodeAside():
                    assert not self.chunks, "given a second chunk"
                    self.chunks.append(command.texts)
                case LookUp():
                    self.lookups.append(command.texts)
                case TakeBack():
                    taken = list(self.model)
                    self.model.clear()
                    self.tell(TakenBack(taken))
                    self.now += self.recut_s
                    self.tell(Recut())
                case End():
                    self.ended = True
                case _:
                    assert_never(command)
