"""What the templates of the page get: words and figures, no markup. Each section adds a view of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from sluice.tasks.sentence import Sentence


@dataclass(frozen=True, slots=True)
class Name:
    """A name within a sentence that is written from right to left: it must not turn round what is beside it."""

    text: str


Prose = str | Sequence[str | Name]
"""Words; pieces of them where a name is among them."""


def plain(sentence: Prose) -> str:
    """The same without marks, for places that have none, such as ``alt``."""
    if isinstance(sentence, str):
        return sentence
    return "".join(part if isinstance(part, str) else part.text for part in sentence)


@dataclass(frozen=True, slots=True)
class Swatch:
    """A label with its colour before it.

    Attributes:
        style: its classes in ``templates/labels.css``.
    """

    name: str
    style: str


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar: a label's share, 0..1, in its colour."""

    share: float
    style: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG for light pages and one for dark pages, with what they show in words.

    Attributes:
        width: at which they are shown, in CSS pixels.
    """

    light: bytes
    dark: bytes
    alt: str
    caption: Prose
    width: int


@dataclass(frozen=True, slots=True)
class CountLine:
    """Rows of one period, script, …: all of them, and by label."""

    name: str
    rows: int
    by_label: Sequence[int]


@dataclass(frozen=True, slots=True)
class CountTable:
    """Rows by label.

    Attributes:
        title: what the table is, for those who hear the page.
        head: what its lines are.
    """

    title: str
    head: str
    labels: Sequence[Swatch]
    lines: Sequence[CountLine]


class Section(Protocol):
    """A part of the page, laid out by its ``template``, which knows it as ``section``."""

    template: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Nothing:
    """A section without anything to show: why there is nothing."""

    template: ClassVar[str] = "nothing.html"
    title: str
    why: str | Sentence
    remarks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Tile:
    """A large figure over what it is."""

    value: str
    name: str | Swatch


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page.

    Attributes:
        about: names and values.
        privacy: what the page shows of messages and senders.
    """

    title: str
    subtitle: str
    tiles: Sequence[Tile]
    about: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    privacy: str
