"""Origins: files and members of ZIP files, unpacked while they are read."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, cast
from zipfile import ZipFile, ZipInfo

from sluice.backfill.inputs.packing import CHUNK_BYTES, HEAD_BYTES, Counted, packing_of, unpacked
from sluice.backfill.inputs.truncating_stream import DAMAGE, TruncatingStream, damaged
from sluice.backfill.inputs.unpacking import Unpacking
from sluice.tasks.errors import SluiceError, UnreadableArchive, UnwritableOutput

#: Packed in packed is unpacked up to this depth, a ZIP counted.
MAX_LAYERS = 2
#: Longest name of a member that messages show, from its end.
NAME_CHARS = 200


class PackedFile:
    """An ``InputFile`` over bytes that may be packed, up to ``layers`` times.

    Args:
        name: what messages call it.
        size: bytes that it takes on disk.
        length: bytes that ``source`` gives, before any unpacking here.
        source: opens those bytes.
        unpacking: the run's.
        path: the file that holds those bytes as they are; None in a ZIP.
        layers: how often it may be packed.

    Attributes:
        damage: why its stream ended early, once it has.
    """

    def __init__(
        self,
        name: str,
        size: int,
        length: int,
        source: Callable[[], BinaryIO],
        unpacking: Unpacking,
        path: Path | None = None,
        layers: int = MAX_LAYERS,
    ) -> None:
        self._name = name
        self._size = size
        self._length = length
        self._source = source
        self._unpacking = unpacking
        self._path = path
        self._layers = layers
        self._copy: Path | None = None
        self._counted: Counted | None = None
        self._reported: float | None = None
        self._furthest = 0
        self.damage: UnreadableArchive | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def size(self) -> int:
        return self._size

    @property
    def position(self) -> int:
        if self._reported is not None:
            share = self._reported
        elif self._counted is None:
            share = 0.0
        else:
            share = self._counted.count / max(1, self._length)
        return int(self._size * min(1.0, share))

    def report(self, share: float) -> None:
        self._reported = share
        self._unpacking.check()

    def check(self) -> None:
        self._unpacking.check()

    def open(self) -> BinaryIO:
        self._reported = None
        return self._opened(self._packings)

    def local_path(self) -> Path:
        if self._path is not None and not self._packings:
            return self._path
        if self._copy is None:
            self._copy = self._unpack()
        return self._copy

    def head(self, count: int) -> bytes:
        """Its first ``count`` unpacked bytes, or fewer."""
        with self.open() as stream:
            return stream.read(count)

    @cached_property
    def _packings(self) -> list[str]:
        """What has to be undone, outermost first."""
        found: list[str] = []
        while len(found) < self._layers:
            with self._opened(found) as stream:
                kind = packing_of(stream.read(HEAD_BYTES))
            if kind is None or kind == "zip":
                break
            found.append(kind)
        return found

    def _opened(self, packings: list[str]) -> BinaryIO:
        try:
            self._counted = Counted(self._source())
            streams = [cast("BinaryIO", io.BufferedReader(self._counted, CHUNK_BYTES))]
            streams.extend(unpacked(streams[-1], kind) for kind in packings[:1])
            streams.extend(unpacked(streams[-1], kind) for kind in packings[1:])
        except SluiceError:
            raise
        except DAMAGE as exc:
            raise damaged(self._name, exc, 0) from exc
        return cast(
            "BinaryIO", io.BufferedReader(TruncatingStream(self._name, streams, self._passed, self._break), CHUNK_BYTES)
        )

    def _passed(self, count: int) -> None:
        self._unpacking.check()
        if count > self._furthest:
            self._unpacking.take(self._name, count - self._furthest)
            self._furthest = count

    def _break(self, damage: UnreadableArchive) -> None:
        self.damage = damage

    def _unpack(self) -> Path:
        copy_path = self._unpacking.new_path(self._name)
        with self.open() as stream:
            try:
                with copy_path.open("wb") as copy:
                    shutil.copyfileobj(stream, copy, CHUNK_BYTES)
            except OSError as exc:
                raise UnwritableOutput(f"{copy_path} cannot be written ({exc.strerror})") from exc
        if self.damage is not None:  # formats that seek have nothing to say about a part of themselves
            raise self.damage
        return copy_path


def file_input(path: Path, name: str, size: int, unpacking: Unpacking) -> PackedFile:
    """The origin of one file."""

    def source() -> BinaryIO:
        try:
            return path.open("rb", buffering=0)
        except OSError as exc:
            raise UnreadableArchive(f"{name} cannot be read ({exc.strerror})") from exc

    return PackedFile(name, size, size, source, unpacking, path)


def member_input(archive: ZipFile, member: ZipInfo, name: str, unpacking: Unpacking) -> PackedFile:
    """The origin of one member of a ZIP file."""

    def source() -> BinaryIO:
        return cast("BinaryIO", archive.open(member))

    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in member.filename)
    if len(shown) > NAME_CHARS:
        shown = f"…{shown[-NAME_CHARS:]}"
    return PackedFile(
        f"{name}!{shown}", member.compress_size, member.file_size, source, unpacking, layers=MAX_LAYERS - 1
    )
