"""The import rules: data flows one way, and the light parts never load the heavy libraries."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OWN = frozenset({"backfill", "bench", "cli", "config", "harness", "tasks", "training", "web", "worker"})

#: What each package may import of our own, besides itself.
ALLOWED = {
    "config": set(),
    "tasks": {"config"},
    "worker": {"config", "tasks"},
    "backfill": {"config", "tasks"},
    "web": {"backfill", "config", "tasks"},
    "training": {"config", "tasks", "worker"},
    "cli": {"backfill", "config", "tasks", "training", "web", "worker"},
    "harness": {"config", "tasks"},
    "bench": OWN,
}
#: Modules of another package that are an exception to a wider grant in ALLOWED.
ONLY = {
    ("training", "worker"): ("worker.model",),
    # `backfill --local` runs the worker's engine; the rest of the worker is for `celery worker` alone.
    ("cli", "worker"): ("worker.model", "worker.engine"),
    ("cli", "web"): ("web.server",),
}
#: Libraries that a package never names, not even inside a function.
FORBIDDEN = {
    "web": {"torch", "transformers", "tokenizers", "safetensors", "sklearn", "matplotlib", "pyarrow"},
    "tasks": {"torch", "transformers", "tokenizers", "safetensors", "flask", "granian"},
    "config": {"torch", "transformers", "celery", "kombu", "redis", "flask"},
    "backfill": {"torch", "transformers", "tokenizers", "safetensors", "sklearn", "flask", "granian"},
    "worker": {"flask", "granian", "flower", "sklearn", "matplotlib"},
}


#: Distributions whose module has another name; modules that come with another; those that may be absent.
OTHERWISE = {"scikit-learn": "sklearn", "python-dotenv": "dotenv"}
CARRIED = {"amqp": "kombu", "werkzeug": "flask", "pydantic_core": "pydantic", "tornado": "flower"}
OPTIONAL = {"peft", "_typeshed"}
#: How Celery is told of a class, to be imported when it is needed.
CLASS_BY_NAME = re.compile(r"[a-z_]+(\.[a-z_]+)*:[A-Z]")


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imported(path: Path) -> tuple[tuple[str, int], ...]:
    """Absolute names of all modules that a file imports, wherever in it, with the line."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[tuple[str, int]]:
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            name = ".".join(part for part in (base, node.module) if part)
            yield name, node.lineno
            yield from ((f"{name}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
            "import_module",
            "__import__",
        ):
            yield from ((name, node.lineno) for arg in node.args[:1] if (name := _beginning(arg)))


def named(path: Path) -> Iterator[tuple[str, int]]:
    """Modules of classes that a file names in strings, with the line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CLASS_BY_NAME.match(node.value):
            yield node.value.partition(":")[0], node.lineno


def _beginning(argument: ast.expr) -> str:
    """What a string begins with, as far as it stands there."""
    if isinstance(argument, ast.JoinedStr) and argument.values:
        argument = argument.values[0]
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else ""


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_package_imports_only_what_it_may(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules(package)
        for name, line in imported(path)
        if not _may(package, name)
    ]
    assert not wrong, "\n".join(wrong)


def _may(package: str, name: str) -> bool:
    if name.partition(".")[0] in FORBIDDEN.get(package, ()):
        return False
    name = name.removeprefix("sluice.")
    top = name.partition(".")[0]
    if top not in OWN or top == package:
        return top != "tests"
    return top in ALLOWED[package] and _within(name, ONLY.get((package, top), (top,)))


def _within(name: str, roots: tuple[str, ...]) -> bool:
    return any(name == root or name.startswith(f"{root}.") or root.startswith(f"{name}.") for root in roots)


def test_the_engine_knows_nothing_of_the_broker() -> None:
    """Any front end may run it: envelopes in, outcomes out."""
    forbidden = ("celery", "kombu", "amqp", "redis", "worker.delivery", "worker.consumer", "worker.pipeline")
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules("worker/engine")
        for name, line in imported(path)
        if any(f"{name.removeprefix('sluice.')}.".startswith(f"{one}.") for one in forbidden)
    ]
    assert not wrong, "\n".join(wrong)


def test_only_tests_of_measurements_import_them() -> None:
    """What others share with them lies in ``harness``."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules("tests")
        if ROOT / "tests" / "unit" / "bench" not in path.parents
        for name, line in imported(path)
        if _within(name, ("sluice.bench",)) and name != "sluice"
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", [*sorted(ALLOWED), "tests", "samples", "deploy", "examples"])
def test_every_part_goes_by_its_installed_name(package: str) -> None:
    """A module imported by the name of its folder would be there twice, and any project's ``tasks.py`` shadows it."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules(package)
        for name, line in (*imported(path), *named(path))
        if name.partition(".")[0] in OWN
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", sorted(set(ALLOWED) - {"bench", "harness"}))
def test_a_package_imports_nothing_that_its_extra_lacks(package: str) -> None:
    """What is installed without the extra is the client; ``cli`` has a part of every extra."""
    extras = {"cli": ("service", "train"), "training": ("train",)}.get(package, (package,))
    there = _distributions("dependencies", *extras) | set(sys.stdlib_module_names) | {"sluice"}
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules(package)
        for name, line in imported(path)
        if (top := name.partition(".")[0]) not in there | OPTIONAL and CARRIED.get(top) not in there
    ]
    assert not wrong, "\n".join(wrong)


def _distributions(*groups: str) -> set[str]:
    """Modules of what pyproject.toml asks for in these groups, those that they are made of included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: set[str] = set()
    for group in groups:
        for line in (
            project["dependencies"] if group == "dependencies" else project["optional-dependencies"].get(group, ())
        ):
            match = re.match(r"([\w-]+)(\[([\w,]+)\])?", line)
            assert match is not None, line
            name, _, parts = match.groups()
            found |= (
                _distributions(*parts.split(",")) if name == "sluice" else {OTHERWISE.get(name, name.replace("-", "_"))}
            )
    return found


def test_every_package_has_a_rule() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "sluice"}
    assert found <= set(ALLOWED)


def test_every_part_is_linked_into_the_one_package() -> None:
    links = {path.name: path.resolve() for path in (ROOT / "sluice").iterdir() if path.is_symlink()}
    assert links == {name: ROOT / name for name in (*ALLOWED, "docs", "models", "samples")}


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import sluice.web.app", {"torch", "transformers", "tokenizers", "sklearn", "matplotlib", "pyarrow"}),
        ("import sluice.backfill.archive.folder", {"torch", "celery", "pyarrow", "flask"}),
        ("import sluice.tasks.app, sluice.tasks.publisher, sluice.tasks.replies", {"torch", "flask", "granian"}),
        ("import sluice.cli.backfill.local", {"torch", "celery", "kombu", "redis", "flask"}),
        ("import sluice.cli.main", {"torch", "celery", "kombu", "redis", "flask", "pydantic", "rich"}),
    ],
)
def test_what_importing_loads(code: str, unwanted: set[str]) -> None:
    loaded = _modules_after(code)
    assert not loaded & unwanted


@pytest.mark.parametrize(
    "arguments",
    [["--help"], *([name, "--help"] for name in ("up", "worker", "web", "predict", "backfill", "config"))],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = f"from sluice.cli.main import run; assert run({arguments!r}) == 0"
    assert not _modules_after(code) & {"torch", "transformers", "celery", "kombu", "redis", "flask", "pydantic"}


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_help_of_training_loads_no_torch(name: str) -> None:
    code = f"from sluice.cli.main import run; assert run([{name!r}, '--help']) == 0"
    assert not _modules_after(code) & {"torch", "transformers", "sklearn", "matplotlib"}


def _modules_after(code: str) -> set[str]:
    """The top-level modules that are loaded after ``code``, run in a fresh interpreter."""
    script = f"{code}\nimport sys; sys.stderr.write('LOADED ' + ' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in done.stderr.rpartition("LOADED ")[2].split()}
