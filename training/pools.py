"""Pools: labelled files with a name each, that figures are given for one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.training.data import Columns, DataError, Example, read_examples
from sluice.training.record import sha256

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,39}")
SHAPE = "1 to 40 letters, digits, dots, dashes, underscores and pluses (A-Z, a-z, 0-9), the first a letter or a digit"


@dataclass(frozen=True)
class Pool:
    """The messages of one file."""

    name: str
    file: str
    """Its name, without the folder."""
    sha256: str
    examples: tuple[Example, ...]


def named_files(arguments: Sequence[str]) -> dict[str, Path]:
    """Files by pool name, from arguments of the form ``FILE`` or ``NAME=FILE``.

    Raises DataError for a name that cannot stand in a file's name or a gate, and for one that is given twice.
    """
    files: dict[str, Path] = {}
    for argument in arguments:
        name, path = _split(argument)
        if name in files:
            raise DataError(f"two pools are called {name!r} ({files[name]}, {path}): name one of them, NAME=FILE.")
        files[name] = path
    return files


def _split(argument: str) -> tuple[str, Path]:
    name, equals, file = argument.partition("=")
    if equals and not Path(argument).exists():
        if not NAME.fullmatch(name):
            raise DataError(f"the pool's name {name!r} is not {SHAPE}.")
        return name, Path(file)
    path = Path(argument)
    name = re.sub(r"[^A-Za-z0-9_.+-]+", "-", path.stem).strip("-._+")[:40]
    if not name:
        raise DataError(f"{path}: the file's name makes no name for a pool: write NAME={path}.")
    return name, path


def read_pools(files: dict[str, Path], labels: Sequence[str] | None, columns: Columns) -> list[Pool]:
    """Reads the files; with `labels`, no other label may occur.

    Raises DataError, as `read_examples` does.
    """
    pools = []
    for name, path in files.items():
        examples = tuple(read_examples(path, labels, columns))
        pools.append(Pool(name, path.name, sha256(path), examples))
    return pools


def examples_of(pools: Iterable[Pool]) -> list[Example]:
    """The messages of all pools, one after another."""
    return [example for pool in pools for example in pool.examples]
