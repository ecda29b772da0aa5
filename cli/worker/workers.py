"""Several worker processes from one command: one for each CUDA device, or as many as asked for."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from sluice.cli.parts.lines import write_line
from sluice.cli.parts.part import Part
from sluice.cli.parts.supervisor import Supervisor
from sluice.cli.processes import sluice
from sluice.cli.worker.devices import VISIBLE, find
from sluice.config.settings import Settings

#: A warm stop finishes what is in the model; the rest goes back to the broker.
GRACE_S = 60.0


def make_parts(
    settings: Settings,
    processes: int,
    arguments: Sequence[str] = (),
    on_orphan: signal.Signals = signal.SIGKILL,
) -> list[Part]:
    """The worker processes, not yet started; with several, each has a share of the devices of its own.

    Args:
        processes: how many; 0 for one on each CUDA device.
        arguments: for each process's ``celery worker``.
        on_orphan: see `Part`.

    Raises:
        SluiceError: the devices cannot be counted.
    """
    devices = find(settings) if processes != 1 else []
    count = processes or len(devices) or 1
    if count == 1:
        return [Part("worker", sluice("worker", *arguments), grace_s=GRACE_S, on_orphan=on_orphan)]
    return [
        Part(
            f"worker-{number}",
            sluice("worker", *arguments),
            grace_s=GRACE_S,
            on_orphan=on_orphan,
            env={VISIBLE: devices[number % len(devices)]} if devices else _share_of_cores(settings, count),
        )
        for number in range(count)
    ]


def _share_of_cores(settings: Settings, count: int) -> dict[str, str]:
    """On a CPU the processes divide the cores: threads that share one wait for each other at every layer."""
    if settings.model_threads:
        return {}
    return {"SLUICE_MODEL_THREADS": str(max(1, len(os.sched_getaffinity(0)) // count))}


def serve(parts: Sequence[Part]) -> int:
    """Run the workers until somebody asks for a stop (0) or one ends by itself, which stops the others.

    Returns the exit status: that of the process that ended by itself, or 1.
    """
    supervisor = Supervisor(write_line)
    supervisor.catch_signals()
    try:
        for part in parts:
            supervisor.start(part)
        while not supervisor.stops_asked:
            supervisor.pump()
            ended = supervisor.ended()
            if ended is not None and not supervisor.stops_asked:
                supervisor.pump(0)
                write_line("sluice", f"{ended.name} {ended.ending()}; stopping the rest")
                return max(1, ended.status or 0)
        write_line("sluice", "stopping: what is in the models is finished, the rest goes back to the broker")
        return 0
    finally:
        supervisor.stop(("worker",))
