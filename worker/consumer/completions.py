"""What the main thread does for the pipeline: states, events and acks, batch by batch."""

from __future__ import annotations

import logging
import os
from typing import assert_never

from celery import signals
from celery.utils.log import get_logger
from celery.worker.state import task_ready

from sluice.worker.consumer.acks import Acker
from sluice.worker.consumer.request import EnvelopeRequest, request_of
from sluice.worker.engine.mail import Finished, InFlightEnvelope, Started
from sluice.worker.pipeline import Pipeline

log = get_logger(__name__)


class Completions:
    """Takes the pipeline's notes in order. Main thread only."""

    def __init__(self, pipeline: Pipeline, connection_errors: tuple[type[BaseException], ...]) -> None:
        self._pipeline = pipeline
        self._acker = Acker(connection_errors)

    def take(self) -> None:
        """Handle every note that is there; acknowledge all finished envelopes together."""
        notes = self._pipeline.notes
        finished: list[Finished] = []
        while notes:
            note = notes.popleft()
            match note:
                case Started():
                    self._announce(note.envelopes)
                case Finished():
                    finished.append(note)
                case _:
                    assert_never(note)
        if finished:
            self._acknowledge([note.envelope for note in finished])
            for note in finished:
                self._finish(note)

    def _announce(self, envelopes: list[InFlightEnvelope]) -> None:
        pid = os.getpid()
        for envelope in envelopes:
            if envelope.started is not None and self._current(envelope):
                request_of(envelope).begin(pid, envelope.started)

    def _acknowledge(self, envelopes: list[InFlightEnvelope]) -> None:
        """Envelopes of an earlier connection cannot be acknowledged: their copies will be, when they come."""
        requests = [request_of(envelope) for envelope in envelopes if self._current(envelope)]
        requests = [request for request in requests if not request.acknowledged]
        self._acker.acknowledge(request.message for request in requests)
        for request in requests:
            request.acknowledged = True

    def _finish(self, note: Finished) -> None:
        request = request_of(note.envelope)
        task_ready(request, successful=note.state == "SUCCESS")
        if note.state == "SUCCESS":
            if request.listened_to:
                request.send_event("task-succeeded", result=note.summary, runtime=note.runtime_s)
            if log.isEnabledFor(logging.DEBUG):
                log.debug(
                    "%s[%s] done in %.3f s: %s", request.argsrepr, note.envelope.shown_id, note.runtime_s, note.summary
                )
        elif note.state == "REVOKED":
            self._revoked(request, note)
        else:
            request.send_event("task-failed", exception=repr(note.error), traceback="")
            if not note.envelope.told:
                log.warning("%s[%s] failed: %s", request.argsrepr, note.envelope.shown_id, note.error)

    def _revoked(self, request: EnvelopeRequest, note: Finished) -> None:
        expired = note.error is not None and bool(note.error.details.get("expired"))
        request._already_revoked = True
        request.send_event("task-revoked", terminated=False, signum=None, expired=expired)
        signals.task_revoked.send(
            sender=request.task, request=request._context, terminated=False, signum=None, expired=expired
        )
        log.info("%s[%s] dropped: %s", request.argsrepr, note.envelope.shown_id, note.error)

    def _current(self, envelope: InFlightEnvelope) -> bool:
        return envelope.generation == self._pipeline.generation
