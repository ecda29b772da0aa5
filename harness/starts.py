"""Two workers that start on queues which are not empty, with Celery's default options, and what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sluice.harness.process import Child, wait_for
from sluice.harness.worker import Worker, client_app
from sluice.tasks.envelope import QUEUES, TASK_NAME

INTERACTIVE, BULK = 300, 60
#: What a worker says that starts badly.
COMPLAINTS = ("Rejecting message", "Traceback", "PRECONDITION_FAILED", "CRITICAL")
PATIENCE_S = 60.0


def together(folder: Path, env: dict[str, str], stack: ExitStack) -> list[Child]:
    """Both at once."""
    return [_worker(folder, env, stack) for _ in range(2)]


def one_joins(folder: Path, env: dict[str, str], stack: ExitStack) -> list[Child]:
    """The second while the first is at work, on queues that are full again."""
    first = _worker(folder, env, stack).ready()
    _fill(env)
    return [first, _worker(folder, env, stack)]


def one_command(folder: Path, env: dict[str, str], stack: ExitStack) -> list[Child]:
    """``sluice worker --processes 2``."""
    command = [sys.executable, "-m", "sluice.cli", "worker", "--processes", "2"]
    child = Child(command, folder / "processes.log", env)
    stack.callback(child.kill)
    return [child]


Way = Callable[[Path, dict[str, str], ExitStack], list[Child]]
WAYS: dict[str, Way] = {"together": together, "one joins": one_joins, "one command": one_command}


def faults(way: Way, folder: Path, env: dict[str, str]) -> list[str]:
    """Start two workers on full queues; returns what is wrong, as sentences; empty if nothing is."""
    results = _fill(env)
    with ExitStack() as stack:
        children = way(folder, env, stack)
        with _noted() as found:
            wait_for(lambda: _ended(children) or _ready(children) == 2, "both ready", PATIENCE_S)
            wait_for(lambda: _ended(children) or all(one.ready() for one in results), "every result", PATIENCE_S)
        failed = [one for one in results if one.state not in ("SUCCESS", "PENDING")]
        found += [f"{len(failed)} results are failures"] if failed else []
        found += [f"{child.log.name} ended with {child.returncode}" for child in _ended(children)]
        found += [f"{child.log.name} stopped with {status}" for child in children if (status := child.stop()) != 0]
        found += [f"{child.log.name}: {said}" for child in children for said in COMPLAINTS if said in child.output()]
        return found


@contextmanager
def _noted() -> Iterator[list[str]]:
    found: list[str] = []
    try:
        yield found
    except TimeoutError as exc:
        found.append(str(exc))


def _worker(folder: Path, env: dict[str, str], stack: ExitStack) -> Worker:
    worker = Worker(folder, env)
    stack.callback(worker.kill)
    return worker


def _fill(env: dict[str, str]) -> list[Any]:
    send = client_app(env).tasks[TASK_NAME].apply_async
    results = [send((f"see you at {number}",), queue=QUEUES["interactive"]) for number in range(INTERACTIVE)]
    return results + [send(([f"bulk {number}", "more"],), queue=QUEUES["bulk"]) for number in range(BULK)]


def _ready(children: list[Child]) -> int:
    return sum(child.output().count(" ready.") for child in children)


def _ended(children: list[Child]) -> list[Child]:
    return [child for child in children if child.returncode is not None]
