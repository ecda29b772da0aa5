"""The demo's own service: ``sluice up`` on free ports, with its data in a folder that goes away."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from sluice.cli.processes import environment, sluice
from sluice.cli.up.readiness import Readiness
from sluice.tasks.parent import ends_with_parent

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
LOG_LINES = 25

#: Settings that may come from outside, to show the demo with another model or device. All others are defaults,
#: so that the demo neither meets nor disturbs a service that runs already.
KEPT = {
    f"{prefix}{name}"
    for prefix in ("SLUICE_", "OTS_")
    for name in ("MODEL", "MBERT_MODEL_PATH", "DEVICE", "USE_FP16", "MODEL_THREADS", "MAX_BATCH_SIZE", "BATCHING")
}


class DemoFailed(Exception):
    """A step did not do what it should; the message says which."""


class Service:
    """``sluice up`` as a child process.

    Args:
        folder: for its Redis and its log; made by the caller, who also removes it.
        console: where to say what happens.
    """

    def __init__(self, folder: Path, console: Console) -> None:
        self._folder = folder
        self._log = folder / "up.log"
        self._console = console
        self.port, self.flower_port = free_ports(2)
        self.env = private_environment(folder, self.port, self.flower_port)

    def __enter__(self) -> Self:
        began = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                sluice("up"),
                cwd=self._folder,  # away from a .env file
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=ends_with_parent(),  # noqa: PLW1509  no other thread runs yet
            )
        starting = "starting Redis, a worker, the web server and Flower"
        if not self._console.is_interactive:
            self._console.print(starting)
        try:
            with self._console.status(starting):
                self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        self._console.print(
            f"Redis, worker, web server and Flower ready after {time.monotonic() - began:.1f} s", style="bold"
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        status = self._stop()
        if kind is None and status != 0:
            raise DemoFailed(f"the service stopped with exit status {status}\n{self._tail()}")
        if isinstance(exc, DemoFailed):
            self._console.print(self._tail(), style="dim", soft_wrap=True)

    def _wait_until_ready(self) -> None:
        readiness = Readiness("127.0.0.1", self.port, "/readyz")
        readiness.start()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not readiness.ready:
            if self._process.poll() is not None:
                raise DemoFailed(f"the service did not start:\n{self._tail()}")
            if time.monotonic() > deadline:
                raise DemoFailed(f"not ready after {START_TIMEOUT_S:.0f} s: {readiness.missing}\n{self._tail()}")
            time.sleep(0.05)

    def _stop(self) -> int:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _tail(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])


def private_environment(folder: Path, port: int, flower_port: int) -> dict[str, str]:
    """The environment of the demo's service: none of the caller's brokers, ports, keys or limits."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or not name.startswith(("SLUICE_", "OTS_", "FLOWER_"))
    }
    for name in ("SLUICE_MODEL", "SLUICE_MBERT_MODEL_PATH", "OTS_MBERT_MODEL_PATH"):
        if name in env and Path(env[name]).exists():
            env[name] = str(Path(env[name]).resolve())
    return environment(
        env,
        SLUICE_STATE_DIR=str(folder),
        SLUICE_PORT=str(port),
        SLUICE_FLOWER_PORT=str(flower_port),
    )


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
