"""Celery bootsteps: where the pipeline starts and ends in the life of the worker process."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from amqp.exceptions import PreconditionFailed
from celery import bootsteps, signals
from celery.exceptions import WorkerShutdown
from celery.utils.log import get_logger
from celery.worker import state as worker_state

from sluice.tasks.app import prefetch_envelopes, settings_of
from sluice.tasks.envelope import DEAD_LETTERS
from sluice.tasks.errors import ModelUnavailable, ServerUnavailable
from sluice.tasks.lanequeue import dead_letter_queue, has_dead_letters
from sluice.tasks.redis_client import connect
from sluice.tasks.server import Server, connection_errors, require_usable
from sluice.worker.consumer import patches
from sluice.worker.consumer.celery_types import Controller
from sluice.worker.consumer.completions import Completions
from sluice.worker.consumer.deadletters import DeadLetters
from sluice.worker.consumer.lanes import Lanes
from sluice.worker.consumer.restarts import Restarts
from sluice.worker.consumer.revocation import held, revoked
from sluice.worker.consumer.strays import StrayWatch
from sluice.worker.consumer.transport import WorkerConnection
from sluice.worker.consumer.transport.kombu_types import Table
from sluice.worker.consumer.waker import Waker
from sluice.worker.engine.capacity import load_classifier, warm_up
from sluice.worker.pipeline import Pipeline as ThreadPipeline

__all__ = ("DeadLetters", "Lanes", "Pipeline")

log = get_logger(__name__)

#: What to do about a queue of an earlier release; it is used as it stands.
OUTDATED = (
    "declared by an earlier release, without dead letters: %s. RabbitMQ may drop there what comes back too often."
    """ Unless a policy of yours gives it some: rabbitmqctl set_policy sluice-dead '^sluice[.](interactive|bulk)$'"""
    f""" '{{"dead-letter-exchange":"{DEAD_LETTERS}"}}' --apply-to queues"""
)
EX_SOFTWARE = 70
EX_CONFIG = 78
#: New objects until a collection: some thousand messages' worth; Python's own 700 are those of twenty messages.
COLLECT_AFTER = (20_000, 20, 20)


class Pipeline(bootsteps.StartStopStep):
    """Loads and warms the model before the first message is taken; drains on a warm shutdown."""

    label = "Sluice"
    requires = ("celery.worker.components:Pool",)

    def __init__(self, w: Controller, **options: object) -> None:
        super().__init__(w, **options)
        w.sluice = None
        self._death: str | None = None
        w.app.amqp.Connection = WorkerConnection
        # One prefetch window, whatever -c says: the pool runs none of our messages.
        w.concurrency, w.prefetch_multiplier = 1, prefetch_envelopes(settings_of(w.app))

    def start(self, w: Controller) -> None:
        try:
            with signals_end_it():
                w.broker_availability = patches.install(w.app)
                self._check(w)
                check_servers(w)
                check_queues(w)
                pipeline = self._load(w)
                after_a_pause(self._restarts)
        except ModelUnavailable as exc:
            stop_at_start(str(exc))
        w.sluice = pipeline
        self._completions = Completions(w.sluice, w._conninfo.connection_errors)
        spare_the_collector()
        w.sluice.start()
        self._strays = StrayWatch(settings_of(w.app))
        self._strays.start()

    def stop(self, w: Controller) -> None:
        """Warm shutdown, on the main thread: the broker connection is still open, nothing new comes in."""
        if w.sluice is None:
            return
        self._strays.stop()
        if self._death is None:
            # A second Ctrl-C or a SIGQUIT while this waits: Celery only notes it, and would look at it afterwards.
            w.sluice.drain(abandon=lambda: bool(worker_state.should_terminate))
            if self._death is None:
                self._restarts.forget()
        # Here and not through the hub: what the hub runs at its close cannot schedule anything more.
        self._completions.take()
        counters = w.sluice.stats.counters.model_dump()
        log.info("drained: %(messages)d messages in %(batches)d batches, %(envelopes)d envelopes done", counters)
        if w.consumer and w.consumer.event_dispatcher:
            w.consumer.event_dispatcher.flush()

    def terminate(self, w: Controller) -> None:
        """Cold shutdown: acknowledge what is stored, leave the rest to the broker."""
        if w.sluice is not None:
            self._completions.take()

    def info(self, w: Controller) -> Table:
        return {"sluice": w.sluice.status().to_json() if w.sluice else None}

    def _check(self, w: Controller) -> None:
        if w.hub is None:
            stop_at_start("the broker must be Redis or RabbitMQ: set SLUICE_BROKER_URL")
        if not w.pool_cls.__module__.endswith(".solo"):
            stop_at_start(
                "the model runs in the worker's own process, so Celery's pool must be solo: leave -P out, or -P solo"
            )

    def _load(self, w: Controller) -> ThreadPipeline:
        assert w.hub is not None
        settings = settings_of(w.app)
        capacity = warm_up(load_classifier(settings), settings)
        self._restarts = Restarts(connect(settings.backend), settings.restart_wait_s)
        return ThreadPipeline(
            w.app,
            capacity,
            w.hostname,
            answered=self._restarts.answered,
            waker=Waker(w.hub, self._take),
            revoked=revoked,
            held=held,
            on_death=lambda why: self._die(w, why),
        )

    def _take(self) -> None:
        self._completions.take()

    def _die(self, w: Controller, reason: str) -> None:
        """From the dying thread: stop the process, and say why as the last word."""
        self._death = reason
        log.critical("stopping the worker: %s", reason)
        worker_state.should_stop = EX_SOFTWARE
        assert w.hub is not None
        w.hub.call_soon(lambda: None)


def spare_the_collector() -> None:
    """Python's cycle collector need not look at libraries and weights, nor at every few messages in flight.

    Each full collection would walk through all of them and hold up every thread for 60 ms and more.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def check_servers(w: Controller) -> None:
    """A login that is refused now is refused for ever; a server that is away may come back."""
    try:
        require_usable(w.app)
    except ServerUnavailable as exc:
        stop_at_start(exc.operator_message)


def check_queues(w: Controller) -> None:
    """RabbitMQ never changes the type of a queue that exists: say so in one line, before the model is loaded."""
    settings = settings_of(w.app)
    if not settings.uses_amqp:
        return
    try:
        with w.app.connection_for_read() as connection:
            connection.connect()
            if has_dead_letters(settings):  # first: nothing may be given up to a queue that is not there
                dead_letter_queue()(connection.channel()).declare()
            outdated: list[str] = []
            for queue in w.app.amqp.queues.consume_from.values():
                declared = queue(connection.channel())
                declared.declare()
                if getattr(declared, "outdated", False):
                    outdated.append(queue.name)
            if outdated:
                log.warning(OUTDATED, ", ".join(outdated))
    except PreconditionFailed as exc:
        stop_at_start(
            f"SLUICE_QUEUE_TYPE={settings.queue_type}, but a queue of another type exists: set SLUICE_QUEUE_TYPE to its"
            f" type, or let a worker of that type empty the queue and delete it. RabbitMQ says: {exc.reply_text}"
        )
    except connection_errors(w.app) as exc:
        error = Server.broker(settings).unavailable(exc)
        if error.lasting:
            stop_at_start(error.operator_message)  # else Celery's consumer says it, and waits for the broker


def after_a_pause(restarts: Restarts) -> None:
    """Wait, if the workers before this one ended soon after their start again and again."""
    ends, wait_s = restarts.begin()
    if wait_s:
        log.warning(
            "the last %d workers on this machine ended soon after their start: waiting %.0f s before taking messages"
            " (SLUICE_RESTART_WAIT_S)",
            ends,
            wait_s,
        )
        time.sleep(wait_s)
    restarts.forget_later()


@contextmanager
def signals_end_it() -> Iterator[None]:
    """Let a stop signal end what runs inside at once; Celery itself would look at it only afterwards."""

    def stop(exitcode: int, **_: object) -> NoReturn:
        raise WorkerShutdown(exitcode)

    signals.worker_shutting_down.connect(stop)
    try:
        yield
    finally:
        signals.worker_shutting_down.disconnect(stop)


def stop_at_start(message: str) -> NoReturn:
    """End the process with one clear line.

    Raises:
        SystemExit: always; Celery's worker turns it into its exit code.
    """
    logging.getLogger("sluice").critical("%s", message)
    raise SystemExit(EX_CONFIG)
