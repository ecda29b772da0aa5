"""Opens what was found: copies what is no file, looks into ZIP files, tells formats, makes readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from sluice.backfill.formats.base import Reader
from sluice.backfill.formats.detect import detect, recognise
from sluice.backfill.formats.registry import open_reader
from sluice.backfill.inputs.find import Found, find
from sluice.backfill.inputs.packed import PackedOrigin, file_origin, member_origin
from sluice.backfill.inputs.packing import HEAD_BYTES, packing_of
from sluice.backfill.inputs.pipe import copy_pipe, copy_stdin
from sluice.backfill.inputs.unpacking import Unpacking
from sluice.backfill.plan import Plan
from sluice.backfill.stop import Stop
from sluice.tasks.errors import UnknownFormat, UnreadableArchive

#: The member that makes a ZIP an archive of SMS Import/Export.
SMS_IE_MEMBER = "messages.ndjson"
#: The member that makes a ZIP an Excel workbook.
WORKBOOK = "xl/workbook.xml"
#: Names that a note lists.
LISTED = 5


@dataclass(frozen=True, slots=True)
class File:
    """A file that is read: its path, what messages call it, its size and its time of change when it was opened."""

    path: Path
    name: str
    size: int
    changed_ns: int

    def unchanged(self) -> bool:
        try:
            info = self.path.stat()
        except OSError:
            return False
        return (info.st_size, info.st_mtime_ns) == (self.size, self.changed_ns)


@dataclass(frozen=True, slots=True)
class Opening:
    """One input with its reader."""

    origin: PackedOrigin
    format: str
    reader: Reader


def open_inputs(plan: Plan, stop: Stop) -> Inputs:
    """Open all inputs of ``plan``.

    Raises:
        UnreadableArchive, UnwritableOutput, Stopped: as ``open_source``.
    """
    inputs = Inputs(plan, stop)
    try:
        inputs.open()
    except BaseException:
        inputs.close()
        raise
    return inputs


class Inputs:
    """All inputs of a plan.

    Attributes:
        openings: in the order in which they are read.
        files: what they lie in, a ZIP file may hold several; and what is read beside them, the log of a database.
        notes: what was left out.
    """

    def __init__(self, plan: Plan, stop: Stop) -> None:
        self._plan = plan
        self._check: Callable[[], None] = stop.check
        self._unpacking = Unpacking(plan.folder, plan.max_unpacked_bytes, self._check)
        self._zips: list[ZipFile] = []
        self._skipped: list[str] = []
        self._nested: list[str] = []
        self.openings: list[Opening] = []
        self.files: list[File] = []
        self.notes: list[str] = []

    def open(self) -> None:
        for found in find(self._plan):
            self._check()
            self._open_file(found)
        if not self.openings:
            raise UnreadableArchive(f"{', '.join(self._plan.inputs)}: none of the files there holds messages")
        if self._skipped:
            self._note(
                "skipped 1 file that holds no messages", "skipped {:,} files that hold no messages", self._skipped
            )
        if self._nested:
            self._note(
                "did not look into 1 ZIP file inside another packed file",
                "did not look into {:,} ZIP files inside other packed files",
                self._nested,
            )

    def _note(self, one: str, many: str, names: list[str]) -> None:
        said = (one if len(names) == 1 else many).format(len(names))
        more = ", …" if len(names) > LISTED else ""
        self.notes.append(f"{said}: {', '.join(names[:LISTED])}{more}")

    def close(self) -> None:
        for opening in self.openings:
            opening.reader.close()
        for archive in self._zips:
            with suppress(OSError):
                archive.close()

    def _open_file(self, found: Found) -> None:
        path = self._on_disk(found)
        try:
            info = path.stat()
            with path.open("rb") as file:
                kind = packing_of(file.read(HEAD_BYTES))
        except OSError as exc:
            raise UnreadableArchive(f"{found.name} cannot be read ({exc.strerror})") from exc
        before = len(self.openings)
        if kind == "zip":
            self._open_zip(path, found)
        else:
            self._open_origin(file_origin(path, found.name, info.st_size, self._unpacking), found.asked)
        if len(self.openings) > before:
            self.files.append(File(path, found.name, info.st_size, info.st_mtime_ns))
        for opening in self.openings[before:]:
            for one in getattr(opening.reader, "beside", ()):
                info = one.stat()
                self.files.append(File(one, str(one), info.st_size, info.st_mtime_ns))

    def _on_disk(self, found: Found) -> Path:
        folder = self._plan.folder
        if found.path is None:
            copy_stdin(folder / "stdin", self._check)
            return folder / "stdin"
        if found.path.is_fifo():
            copy = self._unpacking.place(found.name)
            copy_pipe(found.path, found.name, copy, self._check)
            return copy
        if not found.path.is_file():
            raise UnreadableArchive(f"{found.name} is neither a file nor a folder")
        return found.path

    def _open_origin(self, origin: PackedOrigin, asked: bool) -> None:
        options = self._plan.read
        kind = options.format or (detect(origin, options) if asked else recognise(origin, options))
        if kind is None:
            nested = packing_of(origin.head(HEAD_BYTES)) == "zip"
            (self._nested if nested else self._skipped).append(origin.name)
        else:
            self._open_as(kind, origin)

    def _open_as(self, kind: str, origin: PackedOrigin) -> None:
        self.openings.append(Opening(origin, kind, open_reader(kind, origin, self._plan.read)))

    def _open_zip(self, path: Path, found: Found) -> None:
        try:
            archive = ZipFile(path)
        except (BadZipFile, OSError, ValueError, NotImplementedError) as exc:
            raise UnreadableArchive(f"{found.name} is a damaged ZIP file ({exc})") from exc
        self._zips.append(archive)
        members = sorted(_members(archive), key=lambda member: member.filename)
        if any(member.flag_bits & 1 for member in members):
            raise UnreadableArchive(f"{found.name} is an encrypted ZIP file: unpack it first")
        before = len(self.openings)
        exported = self._exported(members, found.name)
        for member in exported or members:
            self._check()
            origin = member_origin(archive, member, found.name, self._unpacking)
            if exported:
                self._open_as("sms-ie", origin)
            else:
                self._open_origin(origin, asked=False)
        if len(self.openings) == before and found.asked:
            hint = ": unpack the ZIP files in it first" if self._nested else ""
            hint = ": save an Excel workbook as CSV" if WORKBOOK in archive.namelist() else hint
            raise UnknownFormat(f"none of the {len(members):,} files in {found.name} holds messages{hint}")

    def _exported(self, members: list[ZipInfo], name: str) -> list[ZipInfo]:
        """The messages among the members, if they are an archive of SMS Import / Export."""
        wanted = self._plan.read.format
        if wanted not in (None, "sms-ie"):
            return []
        found = [member for member in members if _parts(member) == [SMS_IE_MEMBER]]
        if not found and wanted is not None:
            found = [member for member in members if _parts(member)[-1:] == [SMS_IE_MEMBER]]
            if not found:
                raise UnreadableArchive(f"{name} holds no {SMS_IE_MEMBER}: it is no ZIP of SMS Import / Export")
        return found


def _members(archive: ZipFile) -> Iterator[ZipInfo]:
    for member in archive.infolist():
        parts = _parts(member)
        # Not ``is_dir``, which an empty name stops.
        if (
            not member.filename.endswith("/")
            and parts[:1] != ["__MACOSX"]
            and not any(part.startswith(".") for part in parts)
        ):
            yield member


def _parts(member: ZipInfo) -> list[str]:
    """Its path, which nothing is ever written to."""
    return [part for part in member.filename.split("/") if part not in ("", ".", "..")]
