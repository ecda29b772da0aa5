"""Opens what was found: copies what is no file, looks into ZIP files, tells formats, makes readers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from sluice.backfill.formats.base import Reader
from sluice.backfill.formats.detect import detect, plain_text, recognise
from sluice.backfill.formats.registry import open_reader
from sluice.backfill.formats.roles import says_text
from sluice.backfill.formats.sms_ie import is_export
from sluice.backfill.inputs.attachments import SMS_IE_DATA, Neighbour, attachments
from sluice.backfill.inputs.find import Found, find
from sluice.backfill.inputs.names import is_called_text
from sluice.backfill.inputs.packed import PackedOrigin, file_origin, member_origin
from sluice.backfill.inputs.packing import HEAD_BYTES, packing_of
from sluice.backfill.inputs.pipe import copy_pipe, copy_stdin
from sluice.backfill.inputs.unpacking import Unpacking
from sluice.backfill.inputs.unread import NothingReader, Unread
from sluice.backfill.plan import Plan
from sluice.backfill.stop import Stop
from sluice.tasks.errors import DamagedArchive, NoMessages, UnknownFormat, UnreadableArchive

#: The member that makes a ZIP an archive of SMS Import/Export.
SMS_IE_MEMBER = "messages.ndjson"
#: The member that makes a ZIP an Excel workbook.
WORKBOOK = "xl/workbook.xml"
#: Members that documents and programs have, which are ZIP files too.
DOCUMENT = frozenset({"[Content_Types].xml", "mimetype", "AndroidManifest.xml", "META-INF/MANIFEST.MF", WORKBOOK})
#: In place of the format of what cannot be read.
DAMAGED = "damaged"
#: Fewer bytes before the damage do not tell that a file holds no messages.
TELLING_BYTES = 64
#: Names that a note lists.
LISTED = 5
#: Formats whose columns have names that may be any.
TABLES = frozenset({"csv", "jsonl", "parquet", "arrow", "sqlite"})


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

    origin: PackedOrigin | Unread
    format: str | None
    reader: Reader


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that was found and told; ``origin`` is None for a ZIP file, and for one with ``damage``."""

    found: Found
    file: File
    kind: str | None
    origin: PackedOrigin | None
    damage: DamagedArchive | None = None

    @property
    def neighbour(self) -> Neighbour:
        return Neighbour(self.file.path.as_posix(), self.kind, self.origin)


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
        self._tables: list[str] = []
        self._sent: list[str] = []
        self._refused: list[NoMessages] = []
        self._damaged: list[DamagedArchive] = []
        self.openings: list[Opening] = []
        self.files: list[File] = []
        self.notes: list[str] = []

    def open(self) -> None:
        candidates = []
        for found in find(self._plan):
            self._check()
            candidates.append(self._look(found))
        near = [candidate.neighbour for candidate in candidates if not candidate.found.asked]
        sent = attachments(near, self._check, exported=False)
        for candidate in candidates:
            self._check()
            if not candidate.found.asked and candidate.neighbour.path in sent:
                self._sent.append(candidate.found.name)
            else:
                self._open_file(candidate)
        if len(self.openings) == len(self._damaged):
            if self._damaged:
                raise self._damaged[0]
            if self._refused:
                raise self._refused[0]
            raise UnreadableArchive(f"{', '.join(self._plan.inputs)}: none of the files there holds messages")
        self._refuse_first_rows()
        self._note_left_out()

    def _refuse_first_rows(self) -> None:
        """Where the texts are in a column of a number, tables without a header show beside those with one."""
        if not (self._plan.read.text_column or "").isdecimal():
            return
        tables = [opening for opening in self.openings if opening.format == "csv"]
        named = [opening for opening in tables if says_text(opening.reader.roles.text or "")]
        for opening in tables if named else ():
            if opening not in named:
                raise UnreadableArchive(
                    f"{opening.origin.name} seems to have no header: its column {self._plan.read.text_column} is not"
                    f" called {named[0].reader.roles.text!r}, as in {named[0].origin.name}; add a line that names the"
                    " columns (--text-column)"
                )

    def _note_left_out(self) -> None:
        if self._damaged:
            self._note(
                "1 file could not be read: its row has the reason",
                "{:,} files could not be read: their rows have the reasons",
                [opening.origin.name for opening in self.openings if isinstance(opening.origin, Unread)],
            )
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
        if self._tables:
            self._note(
                "skipped 1 table without a column of texts (--text-column names one)",
                "skipped {:,} tables without a column of texts (--text-column names one)",
                self._tables,
            )
        if self._sent:
            self._note(
                "left out 1 file that was sent in a chat beside it (named by itself it is read)",
                "left out {:,} files that were sent in a chat beside them (named by themselves they are read)",
                self._sent,
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

    def _look(self, found: Found) -> Candidate:
        """Tell what a file is, without reading more of it than that takes."""
        path = self._on_disk(found)
        try:
            info = path.stat()
            with path.open("rb") as file:
                kind = packing_of(file.read(HEAD_BYTES))
        except OSError as exc:
            raise UnreadableArchive(f"{found.name} cannot be read ({exc.strerror})") from exc
        file_ = File(path, found.name, info.st_size, info.st_mtime_ns)
        if kind == "zip":
            return Candidate(found, file_, "zip", None)
        origin = file_origin(path, found.name, info.st_size, self._unpacking)
        try:
            return Candidate(found, file_, self._kind(origin, found), origin)
        except DamagedArchive as exc:
            if found.asked:
                raise
            return Candidate(found, file_, DAMAGED, None, exc)

    def _kind(self, origin: PackedOrigin, found: Found) -> str | None:
        options = self._plan.read
        if not found.asked:
            return recognise(origin, options)
        return options.format or detect(origin, options, plain=self._may_be_plain(found))

    def _may_be_plain(self, found: Found) -> bool:
        return found.path is None or found.name in self._plan.plain or is_called_text(found.name)

    def _open_file(self, candidate: Candidate) -> None:
        found, file = candidate.found, candidate.file
        before = len(self.openings)
        if candidate.damage is not None:
            self._leave(found.name, file.size, candidate.damage)
        elif candidate.origin is None:
            try:
                self._open_zip(file.path, found)
            except DamagedArchive as exc:
                if found.asked:
                    raise
                self._leave(found.name, file.size, exc)
        else:
            self._open_origin(candidate.origin, candidate.kind, found.asked)
        if len(self.openings) > before:
            self.files.append(file)
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

    def _open_origin(self, origin: PackedOrigin, kind: str | None, asked: bool) -> None:
        damage = origin.damage
        if kind is None and isinstance(damage, DamagedArchive) and damage.details["bytes"] < TELLING_BYTES:
            self._leave(origin.name, origin.size, damage)
            return
        if kind is None:
            nested = packing_of(origin.head(HEAD_BYTES)) == "zip"
            (self._nested if nested else self._skipped).append(origin.name)
            return
        try:
            reader = open_reader(kind, origin, self._plan.read)
        except DamagedArchive as exc:
            if asked:
                raise
            self._leave(origin.name, origin.size, exc)
        except NoMessages as exc:
            if asked:
                raise
            self._refused.append(exc)
            (self._tables if kind in TABLES else self._skipped).append(origin.name)
        else:
            self.openings.append(Opening(origin, kind, reader))

    def _leave(self, name: str, size: int, damage: DamagedArchive) -> None:
        """A file that cannot be read is a row that says so, in its place: it may hold messages."""
        self._damaged.append(damage)
        self.openings.append(Opening(Unread(name, size, damage), None, NothingReader()))

    def _open_zip(self, path: Path, found: Found) -> None:
        try:
            archive = ZipFile(path)
        except (BadZipFile, OSError, ValueError, NotImplementedError) as exc:
            raise DamagedArchive(f"{found.name} is a damaged ZIP file ({exc})") from exc
        self._zips.append(archive)
        members = sorted(_members(archive), key=lambda member: member.filename)
        if any(member.flag_bits & 1 for member in members):
            raise DamagedArchive(f"{found.name} is an encrypted ZIP file: unpack it first")
        if not found.asked and not DOCUMENT.isdisjoint(member.filename for member in members):
            self._skipped.append(found.name)
            return
        before, refused = len(self.openings), len(self._refused)
        for origin, kind in self._told(archive, members, found):
            self._check()
            self._open_origin(origin, kind, asked=False)
        if len(self.openings) > before:
            return
        if not found.asked:
            if not members:
                self._skipped.append(found.name)
            return
        if self._refused[refused:]:
            raise self._refused[refused]
        hint = ": unpack the ZIP files in it first" if self._nested else ""
        hint = ": save an Excel workbook as CSV" if WORKBOOK in archive.namelist() else hint
        raise UnknownFormat(f"none of the {len(members):,} files in {found.name} holds messages{hint}")

    def _told(
        self, archive: ZipFile, members: list[ZipInfo], found: Found
    ) -> Iterator[tuple[PackedOrigin, str | None]]:
        """The members that are looked at, with their formats; what was sent in a chat among them is left out."""
        origins = [member_origin(archive, member, found.name, self._unpacking) for member in members]
        exports = self._exports(members, origins, found.name)
        if exports and (self._plan.read.format is not None or all(_folder(member) == [] for member in exports)):
            yield from ((origins[members.index(member)], "sms-ie") for member in exports)
            return
        told: list[Neighbour] = []
        damages: dict[str, DamagedArchive] = {}
        for member, origin in zip(members, origins, strict=True):
            self._check()
            if any(_is_part_of(member, export) for export in exports):
                continue
            try:
                kind = "sms-ie" if member in exports else recognise(origin, self._plan.read)
            except DamagedArchive as exc:
                kind, damages[origin.name] = DAMAGED, exc
            if kind is None and len(members) == 1 and found.asked and is_called_text(member.filename):
                kind = plain_text(origin, self._plan.read)
            told.append(Neighbour("/".join(_parts(member)), kind, origin))
        sent = attachments(told, self._check, exported=True)
        for one in told:
            assert isinstance(one.origin, PackedOrigin)
            if one.path in sent:
                self._sent.append(one.origin.name)
            elif one.origin.name in damages:
                self._leave(one.origin.name, one.origin.size, damages[one.origin.name])
            else:
                yield one.origin, one.kind

    def _exports(self, members: list[ZipInfo], origins: list[PackedOrigin], name: str) -> list[ZipInfo]:
        """The messages among the members that are of SMS Import / Export: at the top, or in the folders of archives
        that were unpacked and packed again."""
        wanted = self._plan.read.format
        if wanted not in (None, "sms-ie"):
            return []
        found = [
            member
            for member, origin in zip(members, origins, strict=True)
            if _parts(member)[-1:] == [SMS_IE_MEMBER] and (wanted or is_export(origin))
        ]
        if not found and wanted is not None:
            raise UnreadableArchive(f"{name} holds no {SMS_IE_MEMBER}: it is no ZIP of SMS Import / Export")
        return found


def _members(archive: ZipFile) -> Iterator[ZipInfo]:
    for member in archive.infolist():
        parts = _parts(member)
        # Not ``is_dir``, which an empty name stops.
        if (
            not member.filename.endswith(("/", "\\"))
            and parts[:1] != ["__MACOSX"]
            and not any(part.startswith(".") for part in parts)
        ):
            yield member


def _parts(member: ZipInfo) -> list[str]:
    """Its path, which nothing is ever written to; some programs on Windows write it with backslashes."""
    return [part for part in re.split(r"[/\\]", member.filename) if part not in ("", ".", "..")]


def _folder(member: ZipInfo) -> list[str]:
    return _parts(member)[:-1]


def _is_part_of(member: ZipInfo, export: ZipInfo) -> bool:
    """Whether it is an attachment in an export of SMS Import / Export, which has them in ``data``."""
    folder = [*_folder(export), SMS_IE_DATA]
    return _parts(member)[: len(folder)] == folder
