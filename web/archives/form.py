"""A multipart body, read piece by piece: files go to disk as they arrive, and nothing of them stays in memory."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from sluice.tasks.errors import BadRequest, InsufficientStorage, TooLarge, UnwritableOutput
from sluice.web.archives.names import shown_name
from sluice.web.http.body import Readable
from sluice.web.http.errors import SHOWN_NAME, invalid, problem

CHUNK_BYTES = 64 * 1024
#: Most bytes of a part's headers, and of what stands before the first part.
MAX_HEADER_BYTES = 16 * 1024
MAX_FIELD_BYTES = 1_000
MAX_FILES, MAX_PARTS = 100, 130
#: Bytes of the disk that an upload leaves free, for the results of those that are there.
SPARE_BYTES = 64 * 1024**2
#: Bytes between two looks at the free space.
LOOK_BYTES = 16 * 1024**2


class Form:
    """The parts of one body.

    Args:
        folder: where files go, as ``file-1``, ``file-2``, …; it exists.
        limit: most bytes of all files together.
        check: called with the fields seen so far before each file, so that a wrong one is refused before its file
            is sent.

    Attributes:
        fields: the values of what is no file.
        names: what the caller calls the files, fit for a screen.
        plain: numbers of the files that are sent as ``text/plain``.
        digest: SHA-256 over all parts, whatever boundary they came with.
    """

    def __init__(self, folder: Path, limit: int, check: Callable[[dict[str, str]], object]) -> None:
        self.fields: dict[str, str] = {}
        self.names: list[str] = []
        self.plain: list[int] = []
        self._folder = folder
        self._limit = limit
        self._check = check
        self._size = self._looked = 0
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def read(self, stream: Readable, boundary: bytes, going_on: Callable[[], object]) -> None:
        """Read the whole body.

        Args:
            going_on: called before each piece; raises to stop.

        Raises:
            TooLarge: as soon as the files are over the limit.
            BadRequest: this is no multipart body, or its end is missing, as when the client disconnects.
            InvalidInput: a field given twice, too long, or no file where one is expected and the other way round.
            InsufficientStorage, UnwritableOutput: the disk is full, or the files cannot be written.
        """
        try:
            parts = self._parts(stream, boundary, going_on)
            for event in parts:
                if isinstance(event, File):
                    self._file(event, parts)
                elif isinstance(event, Field):
                    self._field(event, parts)
            self._check(self.fields)
        except RequestEntityTooLarge:
            if not self.names and not self.fields:
                raise _no_form() from None
            raise TooLarge(
                f"a part's headers are over {MAX_HEADER_BYTES} bytes, or there are over {MAX_PARTS} parts",
                {"field": "body", "limit": MAX_PARTS},
            ) from None
        except UnicodeDecodeError:
            raise BadRequest("the name of a file or field is not in UTF-8", {"field": "body"}) from None
        except ValueError:  # the decoder's
            raise _no_form() from None
        except OSError as exc:
            raise _unwritable(exc) from exc

    def _parts(
        self, stream: Readable, boundary: bytes, going_on: Callable[[], object]
    ) -> Iterator[File | Field | Data | Epilogue]:
        decoder = MultipartDecoder(boundary, CHUNK_BYTES + MAX_HEADER_BYTES, max_parts=MAX_PARTS)
        while True:
            going_on()
            chunk = stream.read(CHUNK_BYTES)
            decoder.receive_data(chunk or None)
            while not isinstance(event := decoder.next_event(), NeedData):
                if isinstance(event, (File, Field, Data, Epilogue)):
                    yield event
                if isinstance(event, Epilogue):
                    return

    def _field(self, event: Field, parts: Iterator[File | Field | Data | Epilogue]) -> None:
        name = event.name or ""
        shown = name if SHOWN_NAME.fullmatch(name) else "(a field)"
        if name == "file":
            raise invalid([problem("file", "must be sent as a file")])
        if name in self.fields:
            raise invalid([problem(shown, "is given twice")])
        value = bytearray()
        for data in _data(parts):
            value += data
            if len(value) > MAX_FIELD_BYTES:
                raise invalid([problem(shown, f"is longer than {MAX_FIELD_BYTES} bytes", MAX_FIELD_BYTES)])
        self._note(name, value)
        try:
            self.fields[name] = value.decode()
        except UnicodeDecodeError:
            raise invalid([problem(shown, "is not text in UTF-8")]) from None

    def _file(self, event: File, parts: Iterator[File | Field | Data | Epilogue]) -> None:
        if event.name != "file":
            shown = event.name if SHOWN_NAME.fullmatch(event.name or "") else "(a field)"
            raise invalid([problem(shown, "must not be a file")])
        if len(self.names) == MAX_FILES:
            raise invalid([problem("file", f"is given more than {MAX_FILES} times", MAX_FILES)])
        self._check(self.fields)
        path = self._folder / f"file-{len(self.names) + 1}"
        with path.open("xb") as file:
            before = self._size
            self._note(event.filename, b"")
            for data in _data(parts):
                self._write(file, data)
            self._note(str(self._size - before), b"")
            file.flush()
            os.fsync(file.fileno())
        if not event.filename and self._size == before:
            path.unlink()  # how browsers send a file input that was left empty
            return
        self.names.append(shown_name(event.filename))
        if parse_options_header(event.headers.get("Content-Type"))[0].lower() == "text/plain":
            self.plain.append(len(self.names))
            self._note("text/plain", b"")

    def _write(self, file: BinaryIO, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            raise too_large(self._limit)
        if self._size - self._looked >= LOOK_BYTES:
            self._looked = self._size
            require_space(self._folder, 0)
        self._hash.update(data)
        file.write(data)

    def _note(self, name: str, value: bytes | bytearray) -> None:
        """Take a part's name and value into the digest, each with its length, so that parts cannot run together."""
        for one in (name.encode("utf-8", "surrogatepass"), value):
            self._hash.update(b"%d:" % len(one))
            self._hash.update(one)


def require_space(folder: Path, size: int) -> None:
    """Raise InsufficientStorage unless ``size`` bytes fit on the folder's disk, with some to spare."""
    free = shutil.disk_usage(folder).free
    if free < size + SPARE_BYTES:
        raise InsufficientStorage(
            f"the server has too little free disk space: {free} bytes, {size + SPARE_BYTES} are needed",
            {"field": "file", "free": free, "needed": size + SPARE_BYTES},
        )


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"the archive is larger than the limit of {limit} bytes", {"field": "file", "limit": limit})


def _data(parts: Iterator[File | Field | Data | Epilogue]) -> Iterator[bytes]:
    """The content of the part that has just begun."""
    for event in parts:
        assert isinstance(event, Data)
        yield event.data
        if not event.more_data:
            return


def _no_form() -> BadRequest:
    return BadRequest("the body is not multipart/form-data, or it ends too early", {"field": "body"})


def _unwritable(exc: OSError) -> InsufficientStorage | UnwritableOutput:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return InsufficientStorage("the server's disk is full", {"field": "file"})
    return UnwritableOutput(f"the server cannot keep the archive ({os.strerror(exc.errno or 0)})")
