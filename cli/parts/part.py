"""A part of the service: one child process."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sluice.cli.processes import PART, environment
from sluice.tasks.parent import ends_with_parent


@dataclass
class Part:
    """One child process and how long it may take to stop.

    Attributes:
        name: what its lines are marked with; parts of one kind are numbered, as in ``worker-0``.
        command: what to run; ``sluice.cli.processes.environment()`` is its environment.
        env: what its environment has besides.
        grace_s: seconds between SIGTERM and SIGKILL.
        on_orphan: the signal that it gets when the supervisor itself is killed. SIGKILL unless it has children
            of its own to end: with the embedded Redis gone too, a warm stop would wait for ever, and late
            acknowledgement loses nothing.
        process: the child, once started.
    """

    name: str
    command: Sequence[str] = ()
    grace_s: float = 10.0
    on_orphan: signal.Signals = signal.SIGKILL
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the child in a session of its own, so that the terminal's Ctrl-C reaches the supervisor only."""
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**environment(), PART: "1", **self.env},
            start_new_session=True,
            preexec_fn=ends_with_parent(self.on_orphan),  # noqa: PLW1509  no other thread runs yet
        )

    @property
    def kind(self) -> str:
        """The name without its number."""
        return self.name.partition("-")[0]

    @property
    def status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self.process.poll() if self.process else None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def terminate(self) -> None:
        if self.process is not None and self.running:
            self.process.terminate()

    def kill(self) -> None:
        """End the child and every process that it started."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    def ending(self) -> str:
        """How the child ended, in words."""
        status = self.process.returncode if self.process else None
        if status is None:
            return "is running"
        if status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"stopped with exit status {status}"
