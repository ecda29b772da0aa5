"""The modules behind the table of formats."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import cast

from sluice.backfill.formats.base import Finding, FormatModule, Reader
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.sample import Sample
from sluice.backfill.formats.table import BY_NAME, NAMES, Format
from sluice.backfill.run.facts import Option, Quoted
from sluice.backfill.run.read_options import ReadOptions
from sluice.tasks.errors import UnreadableArchive
from sluice.tasks.sentence import Sentence


@dataclass(frozen=True, slots=True)
class Detected:
    """A format, and what its module has found out about the input; nothing where the caller has named it."""

    name: str
    finding: Finding = field(default_factory=Finding)


def probe(one: Format, sample: Sample) -> Detected | None:
    """Ask the module of a format whether an input is in it."""
    finding = _module(one).probe(sample)
    return None if finding is None else Detected(one.name, finding)


def open_reader(detected: Detected, input_file: InputFile, options: ReadOptions) -> Reader:
    """The reader of ``input_file`` in a format.

    Raises:
        UnreadableArchive: there is no such format, or ``input_file`` makes no sense as one.
    """
    found = BY_NAME.get(detected.name)
    if found is None:
        raise UnreadableArchive(
            Sentence(
                "there is no format {wanted}: {option} takes {names}",
                wanted=Quoted(detected.name),
                option=Option.FORMAT,
                names=", ".join(NAMES),
            )
        )
    return _module(found).open_reader(input_file, options, detected.finding)


def _module(one: Format) -> FormatModule:
    return cast("FormatModule", import_module(f"sluice.backfill.formats.{one.module}"))
