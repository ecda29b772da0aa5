"""``docs/celery.md`` lists what we rely on inside Celery and kombu, and it is there, as listed."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs" / "celery.md").read_text()
#: Where Celery's and kombu's inside may be touched.
ROOMS = (
    *sorted((ROOT / "worker" / "consumer").rglob("*.py")),
    *sorted((ROOT / "worker" / "delivery").rglob("*.py")),
    *sorted((ROOT / "tasks").rglob("*.py")),
    *(ROOT / "cli" / name for name in ("celery.py", "flower.py", "flower_changes.py")),
)
#: Of Python itself.
OTHERS = {"_exit", "_run_exitfuncs"}


@dataclass(frozen=True)
class Internal:
    """One row of the page."""

    path: str
    arguments: tuple[str, ...] | None
    since: str | None
    files: tuple[str, ...]
    test: str
    why: str

    @property
    def name(self) -> str:
        return self.path.partition(":")[2].rpartition(".")[2] or self.path

    @property
    def names(self) -> set[str]:
        """The name, and what else the row names in passing."""
        return {self.name, *re.findall(r"`(_\w+)`", self.why)}


def rows() -> Iterator[Internal]:
    pattern = re.compile(
        r"^\| `([\w.]+:[\w.]+)(?:\(([^)]*)\))?`(?: \(from ([\d.]+)\))? \| ([^|]+) \| ([^|]+) \| `([^`]+)` \|$"
    )
    for line in PAGE.splitlines():
        if line.startswith("| `") and ":" in line.split("|")[1]:
            match = pattern.match(line)
            assert match, line
            path, arguments, since, files, why, test = match.groups()
            given = None if arguments is None else tuple(filter(None, arguments.split(", ")))
            yield Internal(path, given, since, tuple(re.findall(r"`([^`]+)`", files)), test, why)


ROWS = list(rows())


def installed(package: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version(package).split(".")[:2])


def found(row: Internal) -> Any:
    """What a row names. An attribute that only an instance has is looked for in the source of its classes."""
    module, _, path = row.path.partition(":")
    owner: Any = import_module(module)
    for name in path.split("."):
        try:
            owner = inspect.getattr_static(owner, name) if inspect.isclass(owner) else getattr(owner, name)
        except AttributeError:
            assert inspect.isclass(owner), row.path
            assert any(f"self.{name} " in source or f"self.{name}:" in source for source in sources(owner)), row.path
            return None
    return owner


def sources(owner: type) -> Iterator[str]:
    for one in owner.__mro__:
        if one is not object:
            yield inspect.getsource(inspect.getmodule(one) or ModuleType("none"))


def test_there_is_something_to_hold() -> None:
    assert len(ROWS) > 60


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_what_is_listed_is_there_as_listed(row: Internal) -> None:
    package = row.path.partition(".")[0]
    if row.since and installed(package) < tuple(map(int, row.since.split("."))):
        pytest.skip(f"not before {package} {row.since}")
    thing = found(row)
    if row.arguments is not None:
        function = getattr(thing, "__func__", thing)
        public = [name for name in inspect.signature(function).parameters if name not in defaults(function)]
        assert tuple(public) == row.arguments


def defaults(function: Any) -> set[str]:
    """Arguments that only bind names early, which Celery's functions of the worker's state have."""
    if getattr(function, "__module__", "") != "celery.worker.state":
        return set()
    taken = inspect.signature(function).parameters.values()
    return {one.name for one in taken if one.default is not inspect.Parameter.empty}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_what_is_listed_is_used_where_it_says(row: Internal) -> None:
    for file in row.files:
        words = set(re.findall(r"\w+", (ROOT / file).read_text()))
        assert row.name in words, f"{file} does not use {row.name}"


@pytest.mark.parametrize("test", sorted({row.test for row in ROWS}))
def test_the_tests_that_would_notice_are_there(test: str) -> None:
    file, _, name = test.partition("::")
    assert (ROOT / file).is_file()
    if name:
        assert f"\ndef {name}(" in (ROOT / file).read_text()


@pytest.mark.parametrize("file", ROOMS, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_private_is_used_that_is_not_listed(file: Path) -> None:
    listed = {name for row in ROWS if str(file.relative_to(ROOT)) in row.files for name in row.names}
    assert foreign(ast.parse(file.read_text())) - listed - OTHERS == set()


def foreign(tree: ast.Module) -> set[str]:
    """Private names that a file looks up and does not define."""
    own: set[str] = set()
    used: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                own.add(name)
            case ast.Assign(targets=targets):
                own |= {one.id for one in targets if isinstance(one, ast.Name)}
        if isinstance(node, ast.Attribute) and re.match(r"_[^_]", node.attr):
            mine = isinstance(node.value, ast.Name) and node.value.id == "self"
            (own if mine and isinstance(node.ctx, ast.Store) else used).add(node.attr)
    return used - own


def test_the_page_names_the_versions_that_are_installed() -> None:
    verified = PAGE.partition("Verified with: ")[2].partition("\n\n")[0]
    for package, name in (("celery", "Celery"), ("kombu", "kombu"), ("flower", "Flower")):
        assert re.search(rf"{name} [\d., and]*\b{re.escape(version(package))}\b", verified), package
