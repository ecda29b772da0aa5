"""A Redis and a worker of the tests' own, and ``sluice`` as a child process."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from sluice.cli import embedded
from sluice.cli.processes import environment, sluice
from sluice.config.settings import Settings, read
from sluice.harness.process import Child, wait_for

MODEL = "simulated:?batch_ms=3&message_us=20&poison=POISON"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A new folder with a short path: a socket's path has little room."""
    folder = Path(mkdtemp(prefix="sl-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def settings(state_dir: Path) -> Settings:
    return read(state_dir=state_dir, model=MODEL)


@pytest.fixture
def run(state_dir: Path, tmp_path: Path) -> Run:
    """``run("config", "--json", SLUICE_PORT="1")``: one command to its end, in an empty folder."""

    def call(*arguments: str, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            sluice(*arguments),
            cwd=tmp_path,
            env=environment(SLUICE_STATE_DIR=str(state_dir), SLUICE_MODEL=MODEL, COLUMNS="200") | env,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call


@pytest.fixture(scope="module")
def service() -> Iterator[Settings]:
    """An embedded Redis and a worker with a simulated model, for the tests of one module."""
    folder = Path(mkdtemp(prefix="sl-"))
    settings = read(state_dir=folder, model=MODEL)
    redis = embedded.start(settings)
    assert redis is not None
    env = environment(SLUICE_STATE_DIR=str(folder), SLUICE_MODEL=MODEL)
    worker = Child(sluice("worker"), folder / "worker.log", env)
    worker.wait_for_output(" ready.")
    yield settings
    worker.stop()
    embedded.stop(redis)
    shutil.rmtree(folder, ignore_errors=True)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """Ids of all processes below ``pid``."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *children(child)]
    return found


def wait_until_gone(pids: list[int], timeout_s: float = 20.0) -> None:
    wait_for(lambda: not [pid for pid in pids if alive(pid)], f"the end of {pids}", timeout_s)
