"""One text without its disguises, in the order in which they hide each other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.disguise.alike import same_script, unlike
from sluice.worker.model.disguise.forms import plain_forms, plain_words
from sluice.worker.model.disguise.invisible import visible
from sluice.worker.model.disguise.links import plain_links, suspect
from sluice.worker.model.disguise.signs import ALPHABETS, SIGNS
from sluice.worker.model.disguise.spacing import joined
from sluice.worker.model.disguise.vocabulary import Vocabulary, vocabulary_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NORMALIZATION = 1
"""`normalization` in the sluice.json of models that were trained on texts as this package leaves them."""
KEY = "normalization"
LONGEST = 20_000
"""Characters looked at, once those without a shape are gone; more than any model reads."""
ROUNDS = 4
"""Disguises can lie in layers."""


def _shape(code: int) -> str:
    if chr(code) in "[({<*\\":
        return "x"
    return "a" if SIGNS[code] == "L" else "0" if SIGNS[code] == "0" else " "


ASCII_SHAPE = bytes(ord(_shape(code)) for code in range(128)) + b" " * 128
"""Letters, digits, signs that links are disguised with, and all else."""
SIGN_SHAPE = bytes(
    ord("a" if chr(code) in ALPHABETS + "HKJTaw" else chr(code) if chr(code) in "0v" else " ") for code in range(256)
)
APART = b" a a a "
DIGITS_APART = b" 0" * 6 + b" "
MARKED = re.compile(f"[{ALPHABETS}]m")
JAMO = re.compile("[\u1100-\u1112][\u1161-\u1175]")
MARKS = re.compile("(?<=[^\\W\\d_])[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20df\u20e5-\u20f0]+")


class Normalizer:
    """Turns a text into what its reader takes it for. Any thread may call it."""

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        self._vocabulary = vocabulary

    def __call__(self, text: str) -> str:
        """The text without disguise; the same object where there is none. Never raises."""
        if text.isascii() and not _ascii_suspect(text):
            return text
        tail = ""
        if len(text) > LONGEST:
            text = text if text.isascii() else visible(text)
            text, tail = text[:LONGEST], text[LONGEST:]
        for _ in range(ROUNDS):
            plain = self._plain(text)
            if plain == text:
                break
            text = plain
        return text + tail if tail else text

    def _plain(self, text: str) -> str:
        if text.isascii():
            return self._plain_ascii(text)
        signs = text.translate(SIGNS)
        if "z" in signs:
            text = visible(text)
            signs = text.translate(SIGNS)
        if "w" in signs:
            text = plain_forms(text, signs)
            signs = text.translate(SIGNS)
        if ("m" in signs and MARKED.search(signs)) or JAMO.search(text):
            text = _unmarked(text)
            signs = text.translate(SIGNS)
        if "y" in signs or "i" in signs:
            text = plain_words(text, signs)
            signs = text.translate(SIGNS)
        if _apart(signs.encode().translate(SIGN_SHAPE, b"m")):
            text = joined(text, signs, self._vocabulary)
            signs = text.translate(SIGNS)
        if any(sign in signs for sign in "maTK"):
            text = same_script(text, signs)
            signs = text.translate(SIGNS)
        if "X" in signs or sum(sign in signs for sign in "LCGR") > 1:
            text = unlike(text, signs)
        return plain_links(text)

    def _plain_ascii(self, text: str) -> str:
        if _apart(text.encode().translate(ASCII_SHAPE).replace(b"x", b" ")):
            text = joined(text, text.translate(SIGNS), self._vocabulary)
        return plain_links(text)


def _ascii_suspect(text: str) -> bool:
    shape = text.encode().translate(ASCII_SHAPE)
    return b"x" in shape or _apart(shape) or suspect(text)


def _apart(shape: bytes) -> bool:
    """Whether three letters or six digits in a row stand alone; `shape` has "a" for a letter, "0" for a digit."""
    if b"v" in shape:
        shape = shape.replace(b"va", b"").replace(b"v", b"")
    spread = b" %b " % b" ".join(shape.split())
    return APART in spread or DIGITS_APART in spread


def _unmarked(text: str) -> str:
    """Marks composed with their letters; piled up, or where letters have none, they go."""
    text = unicodedata.normalize("NFC", text)
    bare, runs = MARKS.subn("", text)
    return bare if runs >= 3 or (runs and len(text) - len(bare) > runs) else text


def make_normalizer(tokenizer: PreTrainedTokenizerBase | Tokenizer) -> Normalizer:
    """The normalizer of models to be trained, over a fast tokenizer, the library's or its backend."""
    return Normalizer(vocabulary_of(tokenizer if isinstance(tokenizer, Tokenizer) else tokenizer.backend_tokenizer))


def read_normalizer(facts: Mapping[str, object], tokenizer: PreTrainedTokenizerBase | Tokenizer) -> Normalizer | None:
    """The normalizer that a model's sluice.json asks for, over its fast tokenizer; None without one.

    Raises ModelUnavailable for a number that this version does not know.
    """
    asked = facts.get(KEY)
    if asked is None:
        return None
    if asked != NORMALIZATION or isinstance(asked, bool):
        raise ModelUnavailable(
            f"{KEY} in sluice.json is {asked!r}, and this version knows {NORMALIZATION} only: "
            "take the model's version for this one, or a newer Sluice."
        )
    return make_normalizer(tokenizer)
