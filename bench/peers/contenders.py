"""Who takes part, and how each is started: ``docs/peers.md`` says why so."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from sluice.bench.peers.process import Process
from sluice.bench.service import Servers, Service, without_own_settings
from sluice.harness.process import free_port, wait_for
from sluice.harness.web import exchange
from sluice.harness.worker import environment

#: Loading a large model on a busy machine takes its time.
READY_S = 300.0
TRIAL = "Your parcel is at the door, code 4711"
QUIET = ("-l", "warning")


@dataclass(frozen=True)
class Contender:
    """One system. Sluice has a ``broker`` and no commands; a peer has commands and perhaps settings of its own."""

    key: str
    name: str
    broker: str = "redis"
    needs: tuple[str, ...] = ()
    """Modules of the extra ``peers`` or ``bench``."""
    web: tuple[str, ...] = ()
    """What ``python -m`` runs; it is given ``--port``."""
    worker: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """By field name of ``sluice.config.settings``; what the measurement sets wins over them."""

    @property
    def ours(self) -> bool:
        return not self.web

    @property
    def missing(self) -> list[str]:
        """Modules that are not installed."""
        return [name for name in self.needs if find_spec(name) is None]


#: A busy machine with a large model may need longer than a caller's usual patience; the peers' limit is two minutes.
PATIENT = {"sync_wait_s": 120}
#: Batchers that wait a fixed time do best with a short wait: while the model is busy their next batch fills anyway.
SHORT_WAIT = {"batch_wait_ms": 1}
CELERY_WORKER = ("celery", "-A", "sluice.bench.peers.queue_workers", "worker", *QUIET)
FLASK = ("sluice.bench.peers.flask_front", "--task")

CONTENDERS = {
    contender.key: contender
    for contender in (
        Contender("sluice", "Sluice, Redis", settings=PATIENT),
        Contender("sluice-rabbitmq", "Sluice, RabbitMQ", broker="rabbitmq", settings=PATIENT),
        Contender(
            "celery", "Flask + Celery", needs=("celery_batches",), web=(*FLASK, "peer.single"), worker=CELERY_WORKER
        ),
        Contender(
            "celery-batches",
            "Flask + celery-batches",
            needs=("celery_batches",),
            web=(*FLASK, "peer.batched"),
            worker=CELERY_WORKER,
        ),
        Contender(
            "fastapi",
            "FastAPI batcher",
            needs=("fastapi", "uvicorn", "uvloop", "httptools"),
            web=("sluice.bench.peers.fastapi_batcher",),
            settings=SHORT_WAIT,
        ),
        # With the wait that all have as a limit, as the usual recipe has it.
        Contender(
            "fastapi-5ms",
            "FastAPI batcher, 5 ms",
            needs=("fastapi", "uvicorn", "uvloop", "httptools"),
            web=("sluice.bench.peers.fastapi_batcher",),
        ),
        Contender(
            "litserve", "LitServe", needs=("litserve",), web=("sluice.bench.peers.litserve_api",), settings=SHORT_WAIT
        ),
        Contender("mosec", "mosec", needs=("mosec",), web=("sluice.bench.peers.mosec_worker",), settings=SHORT_WAIT),
    )
}


@contextlib.contextmanager
def serving(contender: Contender, servers: Servers, settings: Mapping[str, Any]) -> Iterator[str]:
    """Start a contender; gives the base URL of one that has answered, and stops it at the end.

    Raises:
        RuntimeError: a process ended early or answered wrongly; its output is in the message.
        TimeoutError: it was not ready within five minutes.
    """
    if contender.ours:
        with Service(servers, contender.broker, **{**contender.settings, **settings}) as service:
            yield service.web.url
        return
    servers.empty()
    port = free_port()
    env = environment(servers.urls[contender.broker], servers.urls["redis"], **{**contender.settings, **settings})
    commands = [[*contender.worker]] if contender.worker else []
    commands.append([*contender.web, "--port", str(port)])
    with contextlib.ExitStack() as stack, without_own_settings():
        processes = []
        for number, command in enumerate(commands):
            log = servers.folder / f"{contender.key}-{number}-{time.time():.0f}.log"
            processes.append(Process([sys.executable, "-m", *command], log, env))
            stack.callback(processes[-1].stop)
        wait_for(lambda: _answers(port, processes), contender.name, READY_S, 0.2)
        yield f"http://127.0.0.1:{port}"


def _answers(port: int, processes: list[Process]) -> bool:
    """Whether a first message gets its label."""
    import http.client

    for process in processes:
        if process.returncode is not None:
            raise RuntimeError(f"{process.log.stem} ended with {process.returncode}:\n{process.output()[-3000:]}")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_S)
    try:
        reply = exchange(connection, "POST", "/predict/", {"text": TRIAL})
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    if reply.status in (404, 502, 503):  # a server that is up before its model
        return False
    if reply.status != 200 or "label" not in json.loads(reply.body):
        raise RuntimeError(f"{processes[-1].log.stem} answered {reply.status}: {reply.body[:300]!r}")
    return True
