"""Errors and notes in the words of the command line, in which tests know them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from sluice.backfill.run.facts import Note
from sluice.cli.wording import said, words
from sluice.tasks.errors import SluiceError
from sluice.tasks.sentence import Sentence


@contextmanager
def refused(kind: type[SluiceError], match: str) -> Iterator[pytest.ExceptionInfo[SluiceError]]:
    """As ``pytest.raises``, with the message that the command shows."""
    with pytest.raises(kind) as caught:
        yield caught
    assert re.search(match, said(caught.value)), said(caught.value)


def told(notes: Iterable[Note]) -> list[str]:
    """Notes, as the command shows them."""
    return [note.said(words) if isinstance(note, Sentence) else note for note in notes]
