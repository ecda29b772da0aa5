"""An uploaded archive as a plan for the engine, and what its errors say to the one who uploaded it."""

from __future__ import annotations

import re

from sluice.backfill.archive.folder import Description, Folder
from sluice.backfill.inputs.names import is_called_text
from sluice.backfill.run.plan import Plan
from sluice.backfill.run.read_options import ReadOptions
from sluice.config.settings import Settings
from sluice.tasks.errors import SluiceError

#: What files may unpack to, in times of ``MAX_ARCHIVE_BYTES``: exports shrink to a tenth, bombs to a thousandth.
UNPACKED_TIMES = 20
MAX_MESSAGE_CHARS = 500
#: What an error quotes of a file, such as its columns, and what of it is shown: the first line of a file without a
#: header holds a text.
QUOTED = re.compile(r"""(?<=[\s(])('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?=[\s,.;:)]|$)""")
SHOWN = re.compile(r"[^\W\d][\w.-]{0,39}")


def plan_of(folder: Folder, description: Description, settings: Settings) -> Plan:
    """The plan; its inputs are relative to ``folder.uploads``, where this process has to be."""
    return Plan(
        inputs=tuple(f"file-{number}" for number in range(1, len(description.names) + 1)),
        target=folder.result(description.output),
        output_format=description.output,
        read=ReadOptions(**description.read),
        scores=description.scores,
        verdict=description.verdict,
        max_text_chars=description.max_text_chars,
        plain=frozenset(
            f"file-{number}"
            for number, name in enumerate(description.names, 1)
            if is_called_text(name) or number in description.plain
        ),
        max_unpacked_bytes=UNPACKED_TIMES * settings.max_archive_bytes,
    )


def told(error: SluiceError, folder: Folder, names: list[str]) -> str:
    """The message of ``error`` in the words of HTTP: fields for options, the caller's file names, no path, no text."""
    return in_their_words(error.message, folder, names)


def in_their_words(sentence: str, folder: Folder, names: list[str]) -> str:
    """A sentence of the engine without this machine's paths; see ``told``."""
    sentence = re.sub(rf"{re.escape(str(folder.path))}/?(uploads/)?", "", sentence)
    sentence = QUOTED.sub(lambda quoted: quoted[0] if SHOWN.fullmatch(quoted[0][1:-1]) else "'…'", sentence)
    sentence = re.sub(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)", lambda option: option[1].replace("-", "_"), sentence)
    # Last: what a caller calls a file stays as it is.
    sentence = re.sub(r"\bfile-(\d+)\b", lambda file: _name(names, int(file[1])), sentence)
    return sentence if len(sentence) <= MAX_MESSAGE_CHARS else f"{sentence[: MAX_MESSAGE_CHARS - 1]}…"


def _name(names: list[str], number: int) -> str:
    return names[number - 1] if 1 <= number <= len(names) else f"file {number}"
