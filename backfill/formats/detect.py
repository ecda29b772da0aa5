"""The format of an input, told by its content; its name says nothing here."""

from __future__ import annotations

from collections.abc import Iterator

from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.other_files import kind_of
from sluice.backfill.formats.registry import Detected, probe
from sluice.backfill.formats.sample import Sample, has_controls
from sluice.backfill.formats.table import BY_NAME, FORMATS, NAMES, Certainty, Format
from sluice.backfill.run.facts import Note, Option
from sluice.backfill.run.read_options import ReadOptions
from sluice.tasks.errors import UnknownFormat, UnreadableArchive
from sluice.tasks.sentence import Sentence


def detect(input_file: InputFile, options: ReadOptions | None = None, *, plain: bool = False) -> Detected:
    """The format of ``input_file``.

    Args:
        plain: it may be plain text, which nothing in it says: then it is, if it is nothing else.

    Raises:
        UnreadableArchive: it is none of them; the message says what it looks like.
    """
    sample = Sample.of(input_file, options or ReadOptions())
    found = _recognised(sample)
    if plain and (found is None or found.finding.may_be_plain):
        found = _plain(sample) or found
    if not sample.data:
        raise UnreadableArchive(f"{input_file.name} is empty")
    if found is None:
        raise UnknownFormat(
            Sentence(
                "the format of {file} is not recognised: it {looks}. If it is one of {names} nevertheless, say so with"
                " {option}",
                file=input_file.name,
                looks=_looks_like(sample.data),
                names=", ".join(NAMES),
                option=Option.FORMAT,
            )
        )
    return found


def recognise(input_file: InputFile, options: ReadOptions | None = None) -> Detected | None:
    """As ``detect``, but None if it is none of them, or not of the one that the options name."""
    options = options or ReadOptions()
    sample = Sample.of(input_file, options)
    if options.format is None:
        return _recognised(sample)
    wanted = BY_NAME[options.format]
    fits = sample.data.startswith(wanted.signatures) if wanted.signatures else sample.is_text
    return Detected(wanted.name) if fits else None


def plain_text(input_file: InputFile, options: ReadOptions) -> Detected | None:
    """Whether it is plain text and nothing else."""
    return _plain(Sample.of(input_file, options))


def _recognised(sample: Sample) -> Detected | None:
    answers = (probe(one, sample) for one in _candidates(sample))
    return next((found for found in answers if found is not None), None)


def _candidates(sample: Sample) -> Iterator[Format]:
    """The formats that may say yes to it, the surest first."""
    yield from (one for one in FORMATS if sample.data.startswith(one.signatures))
    if sample.is_text:
        texts = (one for one in FORMATS if not one.signatures and one.certainty is not Certainty.NOTHING)
        yield from sorted(texts, key=lambda one: one.certainty)


def _plain(sample: Sample) -> Detected | None:
    texts = (probe(one, sample) for one in FORMATS if one.certainty is Certainty.NOTHING)
    return next((found for found in texts if found is not None), None)


def _looks_like(data: bytes) -> Note:
    if kind := kind_of(data):
        return f"looks like {kind}"
    if data.lstrip().startswith(b"<"):
        return "is XML or HTML, but no backup of messages"
    if data.lstrip().startswith((b"{", b"[")):
        return "looks like JSON, but not like one object a line"
    if has_controls(data[:4096].decode("latin-1")):
        return f"is binary, and begins with the bytes {data[:8].hex(' ')}"
    return Sentence(
        "is text, but neither a table with a header nor a chat (with a message a line it is `{option} text`)",
        option=Option.FORMAT,
    )
