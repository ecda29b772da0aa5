"""The processes that touch what strangers sent: command lines, environment, the check of an upload."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr

from sluice.backfill.archive.folder import Folder
from sluice.config.paths import python_path
from sluice.config.settings import PREFIX, Settings
from sluice.tasks.errors import SluiceError, UnknownFormat, UnreadableArchive

#: Seconds that the check of an upload may take; what has not been found wrong by then is found by the runner.
CHECK_S = 20.0
REFUSALS = (UnknownFormat, UnreadableArchive)


@dataclass(frozen=True, slots=True)
class RunnerCommand:
    """How ``sluice.backfill.archive`` is run; tests put something else in its place."""

    base: tuple[str, ...] = (sys.executable, "-P", "-W", "ignore", "-m", "sluice.backfill.archive")

    def run(self, folder: Folder) -> list[str]:
        """Classify; the process ends when this one does."""
        return [*self.base, "--parent", str(os.getpid()), str(folder.path)]

    def check(self, folder: Folder) -> list[str]:
        """Look at an upload; prints what is wrong with it as JSON."""
        return [*self.base, "--parent", str(os.getpid()), "--check", str(folder.path)]


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child: these very settings, except for the API keys, which it has no use for."""
    env = {name: value for name, value in os.environ.items() if name.upper() != f"{PREFIX}API_KEYS"}
    env["PYTHONPATH"] = python_path(env)
    # Each arena of the allocator takes 64 MiB of address space, of which the child has little.
    env["MALLOC_ARENA_MAX"] = "2"
    for name in settings.model_fields_set - {"api_keys"}:
        value = getattr(settings, name)
        if value is not None:
            env[f"{PREFIX}{name.upper()}"] = _plain(value)
    return env


def check(command: RunnerCommand, folder: Folder, settings: Settings) -> None:
    """Have an upload looked at.

    Raises:
        UnknownFormat: its content is that of no format.
        UnreadableArchive: it is broken, or none of its columns holds texts.
    """
    try:
        done = subprocess.run(
            command.check(folder),
            env=environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=CHECK_S,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return
    refusal = _refusal(done.stdout) if done.returncode == 0 else None
    if done.returncode != 0:
        raise UnreadableArchive("the archive cannot be examined: it takes too much memory, or is broken")
    if refusal is not None:
        raise refusal


def start(command: RunnerCommand, folder: Folder, settings: Settings, held: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Start a runner, which holds the locks behind the descriptors ``held`` for as long as it lives."""
    return subprocess.Popen(
        command.run(folder),
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=held,
        start_new_session=True,  # Ctrl-C in a terminal goes to the web process, which stops it
    )


def _refusal(output: bytes) -> SluiceError | None:
    answer: dict[str, Any] = orjson.loads(output)
    if not answer.get("error"):
        return None
    cls = next((one for one in REFUSALS if one.code == answer["error"]), UnreadableArchive)
    return cls(str(answer["message"]), dict(answer.get("details") or {}))


def _plain(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    return str(Path(value)) if isinstance(value, Path) else str(value)
