"""The beginning of an input, and what the formats ask about it, each answered once."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from sluice.backfill.formats.encoding import SAMPLE_BYTES, Encoding, decoded, encoding_of
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.other_files import is_other
from sluice.backfill.formats.table import FORMATS
from sluice.backfill.run.read_options import ReadOptions

#: What may stand before a text without being part of it.
BLANKS = "\ufeff\u200b\u200e\u200f\u00a0 \t\r\n\v\f\x00"
_BACKUP = re.compile(r"(?:<\?xml[^>]*\?>\s*)?<smses[\s>]")

Answer = TypeVar("Answer")


class Sample:
    """The first bytes of an input.

    Args:
        data: at most ``SAMPLE_BYTES`` of them; fewer only if there are no more.
        options: what the caller said about the input.
        input_file: the input; tests of what needs no more than the bytes have none.
    """

    def __init__(self, data: bytes, options: ReadOptions, input_file: InputFile | None = None) -> None:
        self.data = data
        self.options = options
        self.input_file = input_file
        self.complete = len(data) < SAMPLE_BYTES
        self._answers: dict[Callable[[Sample], Any], Any] = {}

    @classmethod
    def of(cls, input_file: InputFile, options: ReadOptions) -> Sample:
        """Read it.

        Raises:
            UnreadableArchive: as ``InputFile.open``.
        """
        with input_file.open() as stream:
            return cls(stream.read(SAMPLE_BYTES), options, input_file)

    @cached_property
    def encoding(self) -> Encoding:
        return encoding_of(self.data, self.options.encoding)

    @cached_property
    def text(self) -> str:
        return decoded(self.data, self.encoding)

    @cached_property
    def head(self) -> str:
        """The text without marks and blanks before it."""
        return self.text.lstrip(BLANKS)

    @cached_property
    def is_text(self) -> bool:
        """Whether it can be text at all."""
        if is_other(self.data) or any(self.data.startswith(one.signatures) for one in FORMATS):
            return False
        # A file system that lost power leaves zeros, also in the midst of a backup.
        return not has_controls(self.head[:4096]) or _BACKUP.match(self.head) is not None

    def once(self, question: Callable[[Sample], Answer]) -> Answer:
        """The answer to a question that several formats have."""
        if question not in self._answers:
            self._answers[question] = question(self)
        answer: Answer = self._answers[question]
        return answer


def has_controls(text: str) -> bool:
    """Whether it holds what no text holds; a few stray ones are let through."""
    controls = sum(char < " " and char not in "\t\r\n\f\x1a" for char in text)
    return controls > len(text) // 100 + 1
