"""Lays out a page by the templates of this folder; whatever a view holds is escaped there.

Opened in a browser, a template shows its words and where the rest goes. Filters beside Jinja's own:

- ``commas``: a count, ``12,345``;
- ``name``, ``message``: a text cut to what a label or a message may take;
- ``png``: bytes as an address that an ``img`` can have, which is long, and safe.
"""

from __future__ import annotations

import base64
from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined

from sluice.backfill.report import palette
from sluice.backfill.report.masking import MAX_TEXT_CHARS, visible
from sluice.backfill.report.page.labels import MAX_NAME_CHARS
from sluice.backfill.report.page.view import Page
from sluice.tasks.sentence import Sentence, Words

#: Nothing that a view holds is shown with more characters.
MAX_CHARS = 1_000


def rendered(page: Page, words: Words = str) -> str:
    """``page`` as HTML; ``words`` says the facts of sentences."""
    return _environment(words).get_template("page.html").render(page=page, themes=(palette.LIGHT, palette.DARK))


def _environment(words: Words) -> Environment:
    made = Environment(
        loader=PackageLoader("sluice.backfill.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=partial(_shown, words),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"commas": _commas, "name": _name, "message": _message, "png": _png}
    return made


def _shown(words: Words, value: object) -> object:
    """Every expression passes here before it is escaped: no hidden character reaches the page from a view."""
    if isinstance(value, Sentence):
        value = value.said(words)
    return visible(value, MAX_CHARS) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _commas(count: int) -> str:
    return f"{count:,}"


def _name(text: str) -> str:
    return visible(text, MAX_NAME_CHARS)


def _message(text: str) -> str:
    return visible(text, MAX_TEXT_CHARS)


def _png(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}"
