"""Files that are no archives of messages, told by their first bytes, for an error to name."""

from __future__ import annotations

#: First bytes that are no archive of messages, for the error to name; some at an offset.
KINDS = (
    (0, b"PK", "a ZIP file inside another packed file"),
    (0, b"\x1f\x8b", "gzip data that is packed more often than is undone"),
    (0, b"\xfd7zXZ\0", "xz data"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip file"),
    (0, b"Rar!", "a RAR file"),
    (257, b"ustar", "a tar file"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"GIF8", "a GIF picture"),
    (4, b"ftyp", "a video or a picture of a telephone"),
    (0, b"\xd0\xcf\x11\xe0", "an old Office document"),
    (0, b"FEA1", "Feather, version 1"),
    (0, b"Obj\x01", "Avro"),
    (0, b"ORC", "ORC"),
    (0, b"\x7fELF", "a program"),
)


def is_other(data: bytes) -> bool:
    """Whether what begins with ``data`` is one of these."""
    return kind_of(data) is not None


def kind_of(data: bytes) -> str | None:
    """What it is called."""
    return next((kind for at, magic, kind in KINDS if data[at:].startswith(magic)), None)
