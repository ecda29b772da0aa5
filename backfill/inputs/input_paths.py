"""From what the caller named to files."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sluice.backfill.run.plan import Plan
from sluice.tasks.errors import UnreadableArchive

STDIN = "-"


@dataclass(frozen=True, slots=True)
class InputPath:
    """A file, or something that must be copied into one first.

    Attributes:
        path: where it is; None for standard input.
        name: what messages call it.
        asked: the caller named this very file, so it has to be an archive; others, from a folder or a pattern, may be
            something else.
    """

    path: Path | None
    name: str
    asked: bool = True


def find(plan: Plan) -> list[InputPath]:
    """All inputs of ``plan``, in order.

    Raises:
        UnreadableArchive: one is absent, given twice or the target; a folder or a pattern holds nothing.
    """
    found = [
        replace(item, name=_shown(plan.name_of(item.name))) for given in plan.inputs for item in _matches(given, plan)
    ]
    if not found:
        raise UnreadableArchive("no input is given")
    _refuse_repeated(found)
    return found


def _shown(name: str) -> str:
    """A file's name that is no UTF-8, such as one of an old system, in characters that any output takes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _matches(given: str, plan: Plan) -> list[InputPath]:
    if given == STDIN:
        return [InputPath(None, "standard input")]
    try:
        return _files(given, plan)
    except OSError as exc:
        raise UnreadableArchive(f"{_shown(plan.name_of(given))} cannot be read ({exc.strerror})") from exc


def _files(given: str, plan: Plan) -> list[InputPath]:
    path = Path(given)
    if path.is_dir():
        return _in_folder(path, plan)
    if os.path.lexists(given) or not glob.has_magic(given):
        if _same(path, plan.target):
            raise UnreadableArchive(f"{given} is the output too: name another file for it")
        return [InputPath(path, given)]
    return _in_pattern(given, plan)


def _in_pattern(pattern: str, plan: Plan) -> list[InputPath]:
    found: list[InputPath] = []
    for match in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - the pattern may be absolute
        path = Path(match)
        if not path.is_dir():
            if not _own(path, plan):
                found.append(InputPath(path, match, asked=False))
        elif "**" not in pattern and not _own(path, plan):
            found += _in_folder(path, plan)
    if not found:
        raise UnreadableArchive(f"no file matches {pattern}")
    return found


def _in_folder(folder: Path, plan: Plan) -> list[InputPath]:
    found = [InputPath(path, str(path), asked=False) for path in _walk(folder, plan)]
    if not found:
        raise UnreadableArchive(f"the folder {folder} holds no files")
    return found


def _walk(folder: Path, plan: Plan) -> Iterator[Path]:
    def refuse(exc: OSError) -> None:
        raise UnreadableArchive(f"{exc.filename} cannot be read ({exc.strerror})") from exc

    for parent, folders, names in os.walk(folder, onerror=refuse):
        here = Path(parent)
        folders[:] = sorted(name for name in folders if not _hidden(name) and not _own(here / name, plan))
        for name in sorted(names):
            path = here / name
            if not _hidden(name) and not _own(path, plan) and path.is_file():
                yield path


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _own(path: Path, plan: Plan) -> bool:
    """Whether a backfill writes there, this one or another."""
    return any(part.endswith(".sluice") for part in path.parts) or _same(path, plan.target)


def _same(path: Path, target: Path) -> bool:
    return os.path.realpath(path) == os.path.realpath(target)


def _refuse_repeated(found: list[InputPath]) -> None:
    taken: dict[object, str] = {}
    for item in found:
        key: object = None
        if item.path is not None:
            try:
                info = item.path.stat()
            except OSError as exc:
                raise UnreadableArchive(f"{item.name} cannot be read ({exc.strerror})") from exc
            key = (info.st_dev, info.st_ino)
        if key in taken:
            raise UnreadableArchive(f"{item.name} is given twice: it is also {taken[key]}")
        taken[key] = item.name
