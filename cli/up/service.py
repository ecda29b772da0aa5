"""The service as ``sluice up`` runs it: which parts, what the operator sees, and how it ends."""

from __future__ import annotations

import signal
import time

from sluice.cli import embedded
from sluice.cli.parts.lines import write_line
from sluice.cli.parts.part import Part
from sluice.cli.parts.supervisor import Supervisor
from sluice.cli.ports import require_free
from sluice.cli.processes import sluice
from sluice.cli.up.readiness import Readiness
from sluice.cli.worker import workers
from sluice.config.settings import Settings
from sluice.tasks.app import make_celery
from sluice.tasks.errors import SluiceError
from sluice.tasks.server import require_usable

#: Web first, so that waiting callers get their answers; Redis last, so that everybody can store.
STOP_ORDER = ("web", "worker", "flower", "redis")
REMIND_EVERY_S = 30.0


def serve(settings: Settings, *, flower: bool, worker: bool, processes: int = 1) -> int:
    """Run the parts until somebody asks for a stop; returns the exit status.

    Args:
        processes: of the worker; 0 for one on each CUDA device.

    Raises:
        SluiceError: a port is taken, or the embedded Redis cannot run.
    """
    if flower and settings.port == settings.flower_port:
        raise SluiceError(
            f"SLUICE_PORT and SLUICE_FLOWER_PORT are both {settings.port}: change one, or give --no-flower"
        )
    require_free(settings.host, settings.port, "SLUICE_PORT")
    if flower:
        require_free(settings.host, settings.flower_port, "SLUICE_FLOWER_PORT")
    if settings.broker_url is not None or settings.result_backend is not None:
        require_usable(make_celery(settings))
    supervisor = Supervisor(write_line)
    supervisor.catch_signals()
    try:
        _start(supervisor, settings, flower=flower, processes=processes if worker else None)
        return _watch(supervisor, settings, flower=flower, worker=worker)
    finally:
        supervisor.stop(STOP_ORDER)
        write_line("sluice", "stopped")


def _start(supervisor: Supervisor, settings: Settings, *, flower: bool, processes: int | None) -> None:
    if settings.uses_embedded:
        _start_redis(supervisor, settings)
    others = "web and Flower" if flower else "web"
    write_line("sluice", f"starting {others}{'' if processes is None else ', and a worker, which loads the model'}")
    if processes is not None:
        # On a Redis of our own there are no other workers to hear from, and asking for them takes a second.
        options = ["--without-mingle", "--without-gossip"] if settings.broker_url is None else []
        if flower:
            options.append("--task-events")  # Flower asks for them itself, but some seconds late
        for part in workers.make_parts(settings, processes, options):
            supervisor.start(part)
    supervisor.start(Part("web", sluice("web"), grace_s=settings.sync_wait_s + 5, on_orphan=signal.SIGTERM))
    if flower:
        supervisor.start(Part("flower", sluice("flower"), grace_s=5))


def _start_redis(supervisor: Supervisor, settings: Settings) -> None:
    folder = settings.redis_socket.parent
    redis = embedded.start(settings, abandon=lambda: supervisor.stops_asked > 0)
    if redis is None:
        write_line("sluice", f"using the Redis that runs in {folder} already")
    else:
        supervisor.adopt(Part("redis", grace_s=15, process=redis))
        write_line("sluice", f"embedded Redis in {folder}")


def _watch(supervisor: Supervisor, settings: Settings, *, flower: bool, worker: bool) -> int:
    """Pass the output on until somebody asks for a stop (0) or a part ends (1)."""
    readiness = Readiness(reachable(settings.host), settings.port, "/readyz" if worker else "/healthz")
    readiness.start()
    announced, reminded = False, time.monotonic()
    while not supervisor.stops_asked:
        supervisor.pump()
        part = supervisor.ended()
        if part is not None and not supervisor.stops_asked:
            supervisor.pump(0)
            write_line("sluice", f"{part.name} {part.ending()}; stopping the rest")
            return 1
        if settings.uses_embedded and not supervisor.has("redis") and embedded.has_ended(settings):
            write_line(
                "sluice", "the Redis that another `sluice up` had started has ended: going on with one of our own"
            )
            _start_redis(supervisor, settings)
        if not announced and readiness.ready:
            announced = True
            announce(settings, flower=flower)
        elif not announced and time.monotonic() - reminded > REMIND_EVERY_S:
            reminded = time.monotonic()
            write_line("sluice", f"not ready yet: {readiness.missing}")
    write_line("sluice", "stopping: answers first, then the worker, then the rest (Ctrl-C again to hurry)")
    return 0


def announce(settings: Settings, *, flower: bool) -> None:
    """Say that the service is ready, and where."""
    base = f"http://{_bracketed(reachable(settings.host))}"
    write_line("sluice", "ready")
    write_line("sluice", f"  messages  {base}:{settings.port}/  (API: {base}:{settings.port}/docs)")
    if flower:
        write_line("sluice", f"  Flower    {base}:{settings.flower_port}/")
    if settings.broker == settings.embedded_url:
        write_line("sluice", f"  Celery    {settings.embedded_url}  (for other clients, as broker and result backend)")
    write_line("sluice", "  Ctrl-C stops all")


def reachable(host: str) -> str:
    """The address at which this machine reaches a server that binds ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
