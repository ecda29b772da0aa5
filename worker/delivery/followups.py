"""Starts what clients hung on their results: links, chains, chords, errbacks. All in the result writer.

What cannot be started is recorded as the failure of its own result, so that nobody waits for it for ever; it harms
neither its envelope nor another follow-up.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import partial
from itertools import islice

import amqp
import redis
from celery import Celery
from celery.app.task import Context
from celery.canvas import Signature, maybe_signature
from celery.exceptions import TaskRevokedError

from sluice.tasks.envelope import log_safe
from sluice.tasks.errors import FollowUpFailed, SluiceError
from sluice.tasks.outage import sentence_of
from sluice.worker.delivery.forwarding import FollowUpApp, NotSent
from sluice.worker.delivery.patience import Patiently
from sluice.worker.delivery.result_store import EnvelopeResult
from sluice.worker.engine.mail import InFlightEnvelope

log = logging.getLogger(__name__)

Origin = Mapping[str, object]
"""Which call a follow-up comes from, as Celery's keywords."""

#: Signatures in one follow-up that a failure is told to, and how deep they may lie in each other.
MOST_PARTS, DEEPEST = 10_000, 50


class FollowUps:
    """Starts what hangs on an envelope, or tells those who wait for it why not.

    Args:
        app: the worker's Celery app.
        patiently: calls what it is given until its server takes it; raises ``Interrupted`` when the worker must end.
    """

    def __init__(self, app: Celery, patiently: Patiently) -> None:
        self._app = FollowUpApp(app, patiently)
        self._patiently = patiently

    def own_thread(self) -> None:
        """In the thread that uses this: groups and chords look for the app of their thread."""
        self._app.set_current()

    def start(self, stored: EnvelopeResult) -> None:
        """Start everything that hangs on a stored result. What cannot be started is recorded; nothing is raised for it.

        Raises:
            Interrupted: a server is away, and the worker is to end: some may not have been started.
        """
        embed = stored.envelope.embedded
        if not (embed.get("callbacks") or embed.get("errbacks") or embed.get("chain") or embed.get("chord")):
            return
        chain = _listed(embed.get("chain"))
        if stored.state == "SUCCESS":
            origin = self._origin(stored)
            for callback in _listed(embed.get("callbacks")):
                self._send(stored, callback, stored.result, origin)
            if chain:
                self._send(stored, chain.pop(), stored.result, origin, chain)
        else:
            for waiting in chain:
                self._fail(stored, waiting, stored.error or SluiceError("it failed"))
            self._call_errbacks(stored, stored.envelope.id, embed.get("errbacks"))
        if embed.get("chord"):
            self._count(stored, embed["chord"])

    def _origin(self, stored: EnvelopeResult) -> Origin:
        return {"parent_id": stored.envelope.id, "root_id": stored.envelope.root_id}

    def _send(
        self, stored: EnvelopeResult, what: object, argument: object, origin: Origin, chain: list[object] | None = None
    ) -> None:
        options = {**origin, "chain": chain} if chain else origin
        try:
            self._patiently(partial(self._apply, what, argument, options))
        except Exception as exc:
            error = self._refused(stored, what, exc)
            for waiting in (what, *(chain or ())):
                self._fail(stored, waiting, error)

    def _apply(self, what: object, argument: object, options: Mapping[str, object]) -> None:
        # Copies: Celery writes into what it sends.
        self._signature(what).apply_async((argument,), **deepcopy(dict(options)))

    def _signature(self, what: object) -> Signature:
        if not isinstance(what, Mapping) or not isinstance(what.get("task"), str):
            raise NotSent("it is no signature of a task")
        if not all(_id_of(part) is None or isinstance(_id_of(part), str) for part in islice(_parts(what), MOST_PARTS)):
            raise NotSent("its task_id is not a text")
        signature: Signature = maybe_signature(deepcopy(what), app=self._app)
        return signature

    def _refused(self, stored: EnvelopeResult, what: object, exc: Exception) -> FollowUpFailed:
        error = FollowUpFailed(f"the follow-up {_name(what)} cannot be sent: {_reason(exc)}")
        log.warning("%s: %s", stored.envelope.shown_id, error)
        return error

    def _count(self, stored: EnvelopeResult, body: object) -> None:
        """Note the result for its chord; the last one starts the body."""
        result = stored.result if stored.state == "SUCCESS" else stored.error
        if stored.state == "REVOKED":
            result = TaskRevokedError(str(stored.error))
        try:
            context = _context(stored.envelope, body)
            self._signature(body)
            self._patiently(lambda: self._app.backend.on_chord_part_return(context, stored.state, result))
        except Exception as exc:
            self._fail(stored, body, self._refused(stored, body, exc))

    def _fail(self, stored: EnvelopeResult, what: object, error: SluiceError) -> None:
        """Record for all who wait for a follow-up, or for a part of it, why it never comes."""
        for part in islice(_parts(what), MOST_PARTS):
            options = part.get("options")
            options = options if isinstance(options, Mapping) else {}
            task_id = _id_of(part)
            if not isinstance(task_id, str):
                continue
            try:
                self._patiently(partial(self._app.backend.store_result, task_id, error, "FAILURE"))
            except Exception as exc:
                log.warning("%s: no failure recorded for its follow-up: %s", stored.envelope.shown_id, _reason(exc))
            self._call_errbacks(stored, task_id, options.get("link_error"))

    def _call_errbacks(self, stored: EnvelopeResult, failed_id: str, errbacks: object) -> None:
        """Tell each errback the id of what failed; one that cannot be told is only logged, and its own failure kept."""
        for errback in _listed(errbacks):
            try:
                self._patiently(partial(self._apply, errback, failed_id, self._origin(stored)))
            except Exception as exc:
                error = self._refused(stored, errback, exc)
                for part in islice(_parts(errback), MOST_PARTS):
                    self._fail(stored, _without_errbacks(part), error)


def _context(envelope: InFlightEnvelope, body: object) -> Context:
    """What Celery's backend asks of the request that a chord waits for."""
    return Context(id=envelope.id, group=envelope.group, group_index=envelope.group_index, chord=body)


def _listed(value: object) -> list[object]:
    """What was hung on as a list: clients of other languages send one signature alone, or nonsense."""
    if not value:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _parts(what: object, depth: int = 0) -> Iterator[Mapping[str, object]]:
    """A signature and all that lie in it or hang on it: each may have a result that somebody waits for."""
    if isinstance(what, (list, tuple)):
        for one in what:
            yield from _parts(one, depth)
    if not isinstance(what, Mapping) or depth > DEEPEST:
        return
    yield what
    for group, names in (("kwargs", ("tasks", "header", "body")), ("options", ("chord", "link"))):
        holder = what.get(group)
        if isinstance(holder, Mapping):
            for name in names:
                yield from _parts(holder.get(name), depth + 1)


def _without_errbacks(part: Mapping[str, object]) -> dict[str, object]:
    """The part alone, for an errback's errbacks are not called: they could be endless."""
    return {"options": {"task_id": _id_of(part)}}


def _id_of(part: Mapping[str, object]) -> object:
    options = part.get("options")
    return options.get("task_id") if isinstance(options, Mapping) else None


def _name(what: object) -> str:
    name = what.get("task") if isinstance(what, Mapping) else None
    return log_safe(name) if isinstance(name, str) else "without a task name"


def _reason(exc: Exception) -> str:
    """Why, with no text of an SMS: only servers' own sentences and ours are quoted."""
    cause = exc.__cause__ or exc
    if isinstance(exc, NotSent):
        return str(exc)
    if isinstance(cause, (amqp.AMQPError, redis.ResponseError)):
        return f"{type(cause).__name__}: {log_safe(sentence_of(cause), 200)}"
    return type(exc).__name__
