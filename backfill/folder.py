"""The run's folder beside the output: checkpoint, partial output, answers, unpacked inputs; gone when all is done."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sluice.backfill.checkpoint import Checkpoint
from sluice.backfill.files.atomic import atomic_write, sync_folder
from sluice.backfill.files.lock import Lock
from sluice.backfill.run.facts import Option
from sluice.tasks.errors import ChangedRun, UnwritableOutput
from sluice.tasks.sentence import Sentence

LOCK, CHECKPOINT, ANSWERS, PARTIAL = "lock", "checkpoint.json", "answers.sqlite", "output"


class RunFolder:
    """``<target>.sluice``, for one process at a time.

    Args:
        path: the folder.
        target: the output, for messages.

    Raises:
        UnwritableOutput: (on entry) it cannot be made, or another backfill is at work in it.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self._target = target

    def __enter__(self) -> Self:
        try:
            self._refuse_target()
            self._lock = self._locked()
        except BlockingIOError as exc:
            raise UnwritableOutput(f"another backfill is writing {self._target}") from exc
        except OSError as exc:
            raise self.problem(exc) from exc
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._lock.close()

    @property
    def answers(self) -> Path:
        return self.path / ANSWERS

    @property
    def partial(self) -> Path:
        """Where the output grows; its suffix is the target's, which some formats look at."""
        return self.path / f"{PARTIAL}{self._target.suffix}"

    def clear(self) -> None:
        """Forget everything that earlier runs left."""
        try:
            # The checkpoint first: it speaks of the others.
            self._empty(lambda one: one.name != CHECKPOINT)
        except OSError as exc:
            raise self.problem(exc) from exc

    def load(self) -> Checkpoint | None:
        """Where an earlier run was, or None.

        Raises:
            ChangedRun: there is a checkpoint that this release cannot read.
            UnwritableOutput: the system does not let this process read it.
        """
        try:
            content = (self.path / CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise self.problem(exc) from exc
        checkpoint = Checkpoint.load(content)
        if checkpoint is None:
            raise ChangedRun(
                Sentence(
                    "{folder} is of another release of Sluice, or damaged: {restart} begins anew",
                    folder=self.path,
                    restart=Option.RESTART,
                ),
                {"folder": str(self.path)},
            )
        return checkpoint

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint; after this it survives a crash of the machine."""
        try:
            atomic_write(self.path / CHECKPOINT, checkpoint.dump())
            sync_folder(self.path)
        except OSError as exc:
            raise self.problem(exc) from exc

    def identity(self) -> list[int] | None:
        """Which file the partial output is, whatever its name."""
        return _identity(self.partial)

    def published(self, output: list[int] | None) -> bool:
        """Whether a run that died since has given the output its name."""
        return output is not None and not self.partial.exists() and _identity(self._target) == output

    def publish(self) -> None:
        """The partial output becomes the target."""
        try:
            if self.partial.exists():
                self.partial.replace(self._target)
                sync_folder(self._target.parent)
        except OSError as exc:
            raise self.problem(exc) from exc

    def remove(self) -> None:
        """Nothing is to be carried on any more."""
        with suppress(OSError):
            # The checkpoint last: it says that the others are not needed. Until then nobody else gets the lock.
            self._empty(lambda one: one.name == CHECKPOINT)
        shutil.rmtree(self.path, ignore_errors=True)

    def remove_if_unused(self) -> None:
        """Leave nothing behind a run that never came to its first checkpoint."""
        if not (self.path / CHECKPOINT).exists():
            shutil.rmtree(self.path, ignore_errors=True)

    def problem(self, exc: OSError) -> UnwritableOutput:
        return UnwritableOutput(f"{self._target} cannot be written ({exc.strerror or type(exc).__name__})")

    def _empty(self, order: Callable[[Path], bool]) -> None:
        for one in sorted(self.path.iterdir(), key=order):
            if one.name != LOCK:
                shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()

    def _refuse_target(self) -> None:
        if self._target.is_dir():
            raise UnwritableOutput(f"{self._target} is a folder: name a file in it")
        if self._target.exists() and not self._target.is_file():
            raise UnwritableOutput(
                Sentence(
                    "{target} is not a regular file, which the output would replace; `{option} -` is standard output",
                    target=self._target,
                    option=Option.OUTPUT,
                )
            )

    def _locked(self) -> Lock:
        while True:
            self.path.mkdir(exist_ok=True)
            # The run that had the lock may take it away, together with the folder.
            with suppress(FileNotFoundError):
                return Lock.take(self.path / LOCK)


def _identity(path: Path) -> list[int] | None:
    """Without the number of its device, which may be another one after the machine was started anew."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_ino, found.st_size]
