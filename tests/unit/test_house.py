"""No circles among modules, none among folders; imports inside functions and for types count too."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("backfill", "bench", "cli", "config", "harness", "tasks", "training", "web", "worker")

#: The floors of the worker, from the top: what stands on one imports nothing of a floor above.
FLOORS = (("worker.pipeline", "worker.consumer"), ("worker.delivery",), ("worker.engine",), ("worker.model",))


@cache
def files() -> dict[str, Path]:
    """Every module by its name below ``sluice``; a package by the name of its folder."""
    found = {}
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def arrows() -> dict[str, set[str]]:
    """For each module those of ours that it imports anywhere in its file."""
    return {name: _imported(name, path) for name, path in files().items()}


def _imported(name: str, path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("sluice.") for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            module = node.module.removeprefix("sluice.")
            for alias in node.names:
                # `from package import module` imports the module; the package itself runs, but is not what is used.
                whole = f"{module}.{alias.name}"
                found.add(whole if whole in files() else module)
    return (found & files().keys()) - {name}


def _folder(module: str) -> str:
    return str(files()[module].parent.relative_to(ROOT))


@cache
def folder_arrows() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for module, targets in arrows().items():
        found.setdefault(_folder(module), set()).update({_folder(one) for one in targets} - {_folder(module)})
    return found


def circles(graph: Mapping[str, Iterable[str]]) -> set[frozenset[str]]:
    """The largest groups in which each can be reached from each other (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: set[frozenset[str]] = set()

    def visit(one: str) -> None:
        order[one] = lowest[one] = len(order)
        stack.append(one)
        for other in graph.get(one, ()):
            if other not in order:
                visit(other)
            if other in stack:
                lowest[one] = min(lowest[one], lowest[other])
        if lowest[one] == order[one]:
            group = stack[stack.index(one) :]
            del stack[stack.index(one) :]
            if len(group) > 1:
                found.add(frozenset(group))

    for one in graph:
        if one not in order:
            visit(one)
    return found


def _shown(groups: Iterable[frozenset[str]]) -> str:
    return "\n".join(" ↔ ".join(sorted(group)) for group in groups)


def test_no_modules_import_each_other() -> None:
    found = circles(arrows())
    assert not found, _shown(found)


def test_no_folders_import_each_other() -> None:
    found = circles(folder_arrows())
    assert not found, _shown(found)


def test_no_floor_of_the_worker_imports_one_above() -> None:
    rooms = {one: targets for one, targets in arrows().items() if one.startswith("worker.")}
    up = {(one, other) for one, targets in rooms.items() for other in targets if _floor(other) < _floor(one)}
    assert not up, "\n".join(f"{one} imports {other}" for one, other in sorted(up))


def _floor(module: str) -> float:
    """Counted from the top; what is no part of the worker counts as below."""
    return next(
        (
            number
            for number, roots in enumerate(FLOORS)
            if any(module == root or module.startswith(f"{root}.") for root in roots)
        ),
        math.inf,
    )


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": ["b"], "b": ["c"], "c": []}, set()),
        ({"a": ["b"], "b": ["a"], "c": ["a"]}, {frozenset("ab")}),
        ({"a": ["b"], "b": ["c"], "c": ["d", "a"], "d": ["e"], "e": ["d"]}, {frozenset("abc"), frozenset("de")}),
    ],
)
def test_circles_are_found(graph: dict[str, list[str]], expected: set[frozenset[str]]) -> None:
    assert circles(graph) == expected
