"""Which module reads which format."""

from __future__ import annotations

from importlib import import_module

from sluice.backfill.formats.base import Reader
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.run.read_options import ReadOptions
from sluice.tasks.errors import UnreadableArchive

#: Module of this package by format: loaded when an input needs it, for some load libraries.
MODULES = {
    "csv": "delimited",
    "jsonl": "jsonl",
    "parquet": "columnar",
    "arrow": "columnar",
    "backup-xml": "backup_xml",
    "sms-ie": "sms_ie",
    "fossify": "fossify",
    "imessage": "imessage",
    "whatsapp": "whatsapp",
    "sqlite": "sqlite",
    "text": "text",
}
FORMATS = tuple(MODULES)


def open_reader(format_name: str, input_file: InputFile, options: ReadOptions) -> Reader:
    """The reader of ``input_file`` as ``format_name``.

    Raises:
        UnreadableArchive: there is no such format, or ``input_file`` makes no sense as one.
    """
    if format_name not in MODULES:
        raise UnreadableArchive(f"there is no format {format_name!r}: --format takes {', '.join(FORMATS)}")
    module = import_module(f"sluice.backfill.formats.{MODULES[format_name]}")
    reader: Reader = module.open_reader(input_file, options)
    return reader
