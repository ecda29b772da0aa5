"""Opens what was found: copies what is no file, looks into ZIP files, tells formats, makes readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from sluice.backfill.formats.base import Reader
from sluice.backfill.formats.detect import detect, plain_text, recognise
from sluice.backfill.formats.registry import Detected, open_reader
from sluice.backfill.formats.roles import says_text
from sluice.backfill.formats.sms_ie import is_export
from sluice.backfill.formats.table import Family, of_family
from sluice.backfill.inputs.attachments import SMS_IE, Neighbour, attachments
from sluice.backfill.inputs.input_paths import InputPath, find
from sluice.backfill.inputs.names import is_called_text
from sluice.backfill.inputs.packed import PackedFile, file_input, member_input
from sluice.backfill.inputs.packing import HEAD_BYTES, packing_of
from sluice.backfill.inputs.pipe import copy_pipe, copy_stdin
from sluice.backfill.inputs.unpacking import Unpacking
from sluice.backfill.inputs.unreadable import EmptyReader, UnreadableFile
from sluice.backfill.inputs.zip_members import folder_of, is_part_of, members_of, parts_of
from sluice.backfill.run.facts import Note, Option, Quoted, Reason
from sluice.backfill.run.plan import Plan
from sluice.backfill.run.stop import Stop
from sluice.tasks.errors import DamagedArchive, NoMessages, UnknownFormat, UnreadableArchive
from sluice.tasks.sentence import Sentence

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
TABLES = of_family(Family.TABLE)


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
class OpenInput:
    """One input with its reader."""

    input_file: PackedFile | UnreadableFile
    format: str | None
    reader: Reader


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that was found and told; ``input_file`` is None for a ZIP file, and for one with ``damage``."""

    input_path: InputPath
    file: File
    detected: Detected | None
    input_file: PackedFile | None
    damage: DamagedArchive | None = None

    @property
    def neighbour(self) -> Neighbour:
        return Neighbour(self.file.path.as_posix(), self.detected, self.input_file)


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
        opened: in the order in which they are read.
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
        self.opened: list[OpenInput] = []
        self.files: list[File] = []
        self.notes: list[Note] = []

    def open(self) -> None:
        candidates = []
        for input_path in find(self._plan):
            self._check()
            candidates.append(self._look(input_path))
        near = [candidate.neighbour for candidate in candidates if not candidate.input_path.asked]
        sent = attachments(near, self._check, exported=False)
        for candidate in candidates:
            self._check()
            if not candidate.input_path.asked and candidate.neighbour.path in sent:
                self._sent.append(candidate.input_path.name)
            else:
                self._open_file(candidate)
        if len(self.opened) == len(self._damaged):
            if self._damaged:
                raise self._damaged[0]
            if self._refused:
                raise self._refused[0]
            given = ", ".join(map(self._plan.name_of, self._plan.inputs))
            raise UnreadableArchive(f"{given}: none of the files there holds messages")
        self._refuse_first_rows()
        self._note_left_out()

    def _refuse_first_rows(self) -> None:
        """Where the texts are in a column of a number, tables without a header show beside those with one."""
        if not (self._plan.read.text_column or "").isdecimal():
            return
        tables = [open_input for open_input in self.opened if open_input.format == "csv"]
        named = [open_input for open_input in tables if says_text(open_input.reader.roles.text or "")]
        for open_input in tables if named else ():
            if open_input not in named:
                raise UnreadableArchive(
                    Sentence(
                        "{file} seems to have no header: its column {number} is not called {name}, as in {other}; add a"
                        " line that names the columns ({option})",
                        file=open_input.input_file.name,
                        number=self._plan.read.text_column,
                        name=Quoted(named[0].reader.roles.text),
                        other=named[0].input_file.name,
                        option=Option.TEXT_COLUMN,
                    )
                )

    def _note_left_out(self) -> None:
        if self._damaged:
            self._note(
                "1 file could not be read: its row has the reason",
                "{count} files could not be read: their rows have the reasons",
                [
                    open_input.input_file.name
                    for open_input in self.opened
                    if isinstance(open_input.input_file, UnreadableFile)
                ],
            )
        if self._skipped:
            self._note(
                "skipped 1 file that holds no messages", "skipped {count} files that hold no messages", self._skipped
            )
        if self._nested:
            self._note(
                "did not look into 1 ZIP file inside another packed file",
                "did not look into {count} ZIP files inside other packed files",
                self._nested,
            )
        if self._tables:
            self._note(
                "skipped 1 table without a column of texts ({option} names one)",
                "skipped {count} tables without a column of texts ({option} names one)",
                self._tables,
            )
        if self._sent:
            self._note(
                "left out 1 file that was sent in a chat beside it (named by itself it is read)",
                "left out {count} files that were sent in a chat beside them (named by themselves they are read)",
                self._sent,
            )

    def _note(self, one: str, many: str, names: list[str]) -> None:
        said = Sentence(one if len(names) == 1 else many, count=f"{len(names):,}", option=Option.TEXT_COLUMN)
        more = ", …" if len(names) > LISTED else ""
        self.notes.append(Sentence("{said}: {names}{more}", said=said, names=", ".join(names[:LISTED]), more=more))

    def close(self) -> None:
        for open_input in self.opened:
            open_input.reader.close()
        for archive in self._zips:
            with suppress(OSError):
                archive.close()

    def _look(self, input_path: InputPath) -> Candidate:
        """Tell what a file is, without reading more of it than that takes."""
        path = self._on_disk(input_path)
        try:
            info = path.stat()
            with path.open("rb") as file:
                kind = packing_of(file.read(HEAD_BYTES))
        except OSError as exc:
            raise UnreadableArchive(f"{input_path.name} cannot be read ({exc.strerror})") from exc
        file_ = File(path, input_path.name, info.st_size, info.st_mtime_ns)
        if kind == "zip":
            return Candidate(input_path, file_, Detected("zip"), None)
        input_file = file_input(path, input_path.name, info.st_size, self._unpacking)
        try:
            return Candidate(input_path, file_, self._detect(input_file, input_path), input_file)
        except DamagedArchive as exc:
            if input_path.asked:
                raise
            return Candidate(input_path, file_, Detected(DAMAGED), None, exc)

    def _detect(self, input_file: PackedFile, input_path: InputPath) -> Detected | None:
        options = self._plan.read
        if not input_path.asked:
            return recognise(input_file, options)
        if options.format is not None:
            return Detected(options.format)
        return detect(input_file, options, plain=self._may_be_plain(input_path))

    def _may_be_plain(self, input_path: InputPath) -> bool:
        return input_path.path is None or str(input_path.path) in self._plan.plain or is_called_text(input_path.name)

    def _open_file(self, candidate: Candidate) -> None:
        input_path, file = candidate.input_path, candidate.file
        before = len(self.opened)
        if candidate.damage is not None:
            self._leave(input_path.name, file.size, candidate.damage)
        elif candidate.input_file is None:
            try:
                self._open_zip(file.path, input_path)
            except DamagedArchive as exc:
                if input_path.asked:
                    raise
                self._leave(input_path.name, file.size, exc)
        else:
            self._open_packed(candidate.input_file, candidate.detected, input_path.asked)
        if len(self.opened) > before:
            self.files.append(file)
        for open_input in self.opened[before:]:
            for one in getattr(open_input.reader, "beside", ()):
                info = one.stat()
                self.files.append(File(one, str(one), info.st_size, info.st_mtime_ns))

    def _on_disk(self, input_path: InputPath) -> Path:
        folder = self._plan.folder
        if input_path.path is None:
            copy_stdin(folder / "stdin", self._check)
            return folder / "stdin"
        if input_path.path.is_fifo():
            copy = self._unpacking.new_path(input_path.name)
            copy_pipe(input_path.path, input_path.name, copy, self._check)
            return copy
        if not input_path.path.is_file():
            raise UnreadableArchive(f"{input_path.name} is neither a file nor a folder")
        return input_path.path

    def _open_packed(self, input_file: PackedFile, detected: Detected | None, asked: bool) -> None:
        damage = input_file.damage
        if detected is None and isinstance(damage, DamagedArchive) and damage.details["bytes"] < TELLING_BYTES:
            self._leave(input_file.name, input_file.size, damage)
            return
        if detected is None:
            nested = packing_of(input_file.head(HEAD_BYTES)) == "zip"
            (self._nested if nested else self._skipped).append(input_file.name)
            return
        try:
            reader = open_reader(detected, input_file, self._plan.read)
        except DamagedArchive as exc:
            if asked:
                raise
            self._leave(input_file.name, input_file.size, exc)
        except NoMessages as exc:
            if asked:
                raise
            self._refused.append(exc)
            (self._tables if detected.name in TABLES else self._skipped).append(input_file.name)
        else:
            self.opened.append(OpenInput(input_file, detected.name, reader))

    def _leave(self, name: str, size: int, damage: DamagedArchive) -> None:
        """A file that cannot be read is a row that says so, in its place: it may hold messages."""
        self._damaged.append(damage)
        self.opened.append(OpenInput(UnreadableFile(name, size, damage), None, EmptyReader()))

    def _open_zip(self, path: Path, input_path: InputPath) -> None:
        try:
            archive = ZipFile(path)
        except (BadZipFile, OSError, ValueError, NotImplementedError) as exc:
            raise DamagedArchive(
                Sentence("{file} is a damaged ZIP file ({reason})", file=input_path.name, reason=Reason(exc))
            ) from exc
        self._zips.append(archive)
        members = sorted(members_of(archive), key=lambda member: member.filename)
        if any(member.flag_bits & 1 for member in members):
            raise DamagedArchive(f"{input_path.name} is an encrypted ZIP file: unpack it first")
        if not input_path.asked and not DOCUMENT.isdisjoint(member.filename for member in members):
            self._skipped.append(input_path.name)
            return
        before, refused = len(self.opened), len(self._refused)
        for input_file, detected in self._told(archive, members, input_path):
            self._check()
            self._open_packed(input_file, detected, asked=False)
        if len(self.opened) > before:
            return
        if not input_path.asked:
            if not members:
                self._skipped.append(input_path.name)
            return
        if self._refused[refused:]:
            raise self._refused[refused]
        hint = ": unpack the ZIP files in it first" if self._nested else ""
        hint = ": save an Excel workbook as CSV" if WORKBOOK in archive.namelist() else hint
        raise UnknownFormat(f"none of the {len(members):,} files in {input_path.name} holds messages{hint}")

    def _told(
        self, archive: ZipFile, members: list[ZipInfo], input_path: InputPath
    ) -> Iterator[tuple[PackedFile, Detected | None]]:
        """The members that are looked at, with their formats; what was sent in a chat among them is left out."""
        input_files = [member_input(archive, member, input_path.name, self._unpacking) for member in members]
        exports = self._exports(members, input_files, input_path.name)
        if exports and (self._plan.read.format is not None or all(folder_of(member) == [] for member in exports)):
            yield from ((input_files[members.index(member)], Detected(SMS_IE)) for member in exports)
            return
        told: list[Neighbour] = []
        damages: dict[str, DamagedArchive] = {}
        for member, input_file in zip(members, input_files, strict=True):
            self._check()
            if any(is_part_of(member, export) for export in exports):
                continue
            try:
                detected = Detected(SMS_IE) if member in exports else recognise(input_file, self._plan.read)
            except DamagedArchive as exc:
                detected, damages[input_file.name] = Detected(DAMAGED), exc
            if detected is None and len(members) == 1 and input_path.asked and is_called_text(member.filename):
                detected = plain_text(input_file, self._plan.read)
            told.append(Neighbour("/".join(parts_of(member)), detected, input_file))
        sent = attachments(told, self._check, exported=True)
        for one in told:
            assert isinstance(one.input_file, PackedFile)
            if one.path in sent:
                self._sent.append(one.input_file.name)
            elif one.input_file.name in damages:
                self._leave(one.input_file.name, one.input_file.size, damages[one.input_file.name])
            else:
                yield one.input_file, one.detected

    def _exports(self, members: list[ZipInfo], input_files: list[PackedFile], name: str) -> list[ZipInfo]:
        """The messages among the members that are of SMS Import / Export: at the top, or in the folders of archives
        that were unpacked and packed again."""
        wanted = self._plan.read.format
        if wanted not in (None, SMS_IE):
            return []
        found = [
            member
            for member, input_file in zip(members, input_files, strict=True)
            if parts_of(member)[-1:] == [SMS_IE_MEMBER] and (wanted or is_export(input_file))
        ]
        if not found and wanted is not None:
            raise UnreadableArchive(f"{name} holds no {SMS_IE_MEMBER}: it is no ZIP of SMS Import / Export")
        return found
