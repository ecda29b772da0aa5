"""The batcher thread: the scheduler's clock and hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import assert_never

from sluice.worker.engine.cache_reader import CacheReader
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
from sluice.worker.engine.encoder import Encoder
from sluice.worker.engine.guard import GuardedThread
from sluice.worker.engine.mail import EngineNote, SchedulerNote
from sluice.worker.engine.model_thread import ModelThread
from sluice.worker.engine.scheduler import NEVER, Scheduler


@dataclass(frozen=True, slots=True)
class Stages:
    """The threads that work is given to; ``reader`` is None where there is no cache."""

    encoder: Encoder
    model: ModelThread
    reader: CacheReader | None = None


class Batcher(GuardedThread):
    """Tells the scheduler what happens and when, and does what it asks for.

    Args:
        scheduler: this thread's alone; only its ``buffered`` may be read by others.
        inbox: what this thread is told.
        stages: get their work from here, and are told here when it ends.
        emit: gets what leaves the engine; may block.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        inbox: SimpleQueue[SchedulerNote],
        stages: Stages,
        emit: Callable[[EngineNote], None],
        on_death: Callable[[str], None],
    ) -> None:
        super().__init__("batcher", on_death)
        self._scheduler = scheduler
        self._inbox = inbox
        self._stages = stages
        self._emit = emit
        self._ended = False

    def work(self) -> None:
        while not self._ended:
            self._read_inbox()
            if not self._ended:
                self._execute(self._scheduler.due(time.monotonic()))

    def _read_inbox(self) -> None:
        """Wait for a note or for something to be due, then take every note that is there."""
        try:
            self._handle(self._inbox.get(timeout=self._timeout_s()))
            while not self._ended:
                self._handle(self._inbox.get_nowait())
        except Empty:
            pass

    def _timeout_s(self) -> float | None:
        """Seconds until something is due without a note; None: nothing is."""
        due = self._scheduler.wake_at()
        return None if due == NEVER else max(0.0, due - time.monotonic())

    def _handle(self, event: Event) -> None:
        if commands := self._scheduler.handle(event, time.monotonic()):
            self._execute(commands)

    def _execute(self, commands: Sequence[Command]) -> None:
        stages = self._stages
        for command in commands:
            match command:
                case RunBatch():
                    stages.model.inbox.put(command.batch)
                case Emit():
                    self._emit(command.note)
                case EncodeAside():
                    stages.encoder.inbox.put(command.texts)
                case EncodeHere():
                    self._handle(stages.encoder.encode(command.texts))
                case LookUp():
                    assert stages.reader is not None, "looked up without a cache"
                    stages.reader.inbox.put(command.texts)
                case TakeBack():
                    self._handle(TakenBack(stages.model.take_back()))
                    self._handle(Recut())
                case End():
                    self._end()
                case _:
                    assert_never(command)

    def _end(self) -> None:
        self._ended = True
        self._stages.model.inbox.put(None)
        self._stages.encoder.inbox.put(None)
        if self._stages.reader is not None:
            self._stages.reader.inbox.put(None)
