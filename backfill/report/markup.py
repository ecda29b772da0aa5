"""Pieces of HTML. Whatever is passed in is escaped, unless it is ``Markup``, which these functions made."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from sluice.backfill.report.masking import visible


class Markup(str):
    """HTML, safe as it is."""

    __slots__ = ()


Cell = str | int | Markup

#: Longest name of a label, a column, a model that is shown.
MAX_NAME_CHARS = 60


def text(value: object, limit: int = 1_000) -> Markup:
    """``value`` escaped, at most ``limit`` characters, with hidden characters made visible; numbers with commas."""
    if isinstance(value, Markup):
        return value
    return Markup(escape(f"{value:,}" if isinstance(value, int) else visible(str(value), limit)))


def join(parts: Iterable[str]) -> Markup:
    """Pieces one after the other."""
    return Markup("\n".join(part for part in parts if part))


def tag(name: str, inner: Markup, **attributes: str) -> Markup:
    """An element; ``class_`` stands for ``class``."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{written}>{inner}</{name}>")


def paragraph(sentence: str | Markup, **attributes: str) -> Markup:
    return tag("p", text(sentence), **attributes)


def section(title: str, *parts: Markup) -> Markup:
    """A heading and what is under it."""
    return tag("section", join([tag("h2", text(title)), *parts]))


def tile(value: str, name: str | Markup) -> Markup:
    """A large figure over what it is."""
    return Markup(f'<div class="tile"><b>{text(value)}</b><span>{text(name)}</span></div>')


def facts(pairs: Iterable[tuple[str, str]]) -> Markup:
    """A list of names and values."""
    return tag("dl", join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in pairs))


def table(name: str, heads: Sequence[Cell], rows: Iterable[Sequence[Cell]], numbers: Iterable[int]) -> Markup:
    """A table that scrolls when it is long; the columns ``numbers`` are to the right, the first one names its row.

    Args:
        name: what the table is, for those who hear the page.
    """
    right = frozenset(numbers)
    head = "".join(_cell("th", cell, at in right, "col") for at, cell in enumerate(heads))
    body = "\n".join(
        "<tr>" + "".join(_cell("td" if at else "th", cell, at in right, "row") for at, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return Markup(
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(name)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def swatch(name: str, style: str) -> Markup:
    """A name with its colour before it."""
    return Markup(f'<span class="swatch {escape(style)}"></span>{text(name, MAX_NAME_CHARS)}')


def bar(share: float) -> Markup:
    """A line filled to ``share``, 0..1; the figure stands beside it, so it is not read out."""
    return Markup(f'<span class="bar" aria-hidden="true"><i style="width:{100 * share:.1f}%"></i></span>')


def split(parts: Iterable[tuple[float, str]]) -> Markup:
    """A line in the colours of labels, each as long as its share, 0..1; the figures stand beside it."""
    inner = "".join(f'<i class="{escape(style)}" style="width:{100 * share:.1f}%"></i>' for share, style in parts)
    return Markup(f'<span class="bar split" aria-hidden="true">{inner}</span>')


def figure(light: bytes, dark: bytes, alt: str, caption: str, width: int) -> Markup:
    """A picture in two versions, of which screens with a dark page show the second."""
    sources = [base64.b64encode(png).decode("ascii") for png in (light, dark)]
    return Markup(
        '<figure><div class="picture" tabindex="0" role="group"><picture>'
        f'<source media="screen and (prefers-color-scheme: dark)" srcset="data:image/png;base64,{sources[1]}">'
        f'<img width="{width}" alt="{text(alt)}" src="data:image/png;base64,{sources[0]}">'
        f"</picture></div><figcaption>{text(caption)}</figcaption></figure>"
    )


def _cell(name: str, cell: Cell, right: bool, scope: str) -> Markup:
    attributes = {"class_": "number"} if right else {}
    if name == "th":
        attributes["scope"] = scope
    return tag(name, text(cell), **attributes)
