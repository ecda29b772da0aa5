"""Where the words of a string of letters begin, by the tokenizer's own vocabulary.

Method: the best cut under a unigram model (Kudo 2018, arXiv:1804.10959), where a word may begin at any piece that
begins words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from itertools import pairwise

import orjson
from tokenizers import Tokenizer

LINK = re.compile("https?://|hxxps?:|www\\.", re.IGNORECASE)
"""What follows has no borders, for where a link ends nobody knows."""
START = "\u2581"
"""Stands at the beginning of words in such vocabularies."""
LONGEST_PIECE = 16
LONGEST_TEXT = 1000
"""Characters cut at a time; the cut of what is longer begins anew."""


class Vocabulary:
    """The pieces of a unigram model and their log probabilities, without regard to case."""

    def __init__(self, pieces: Iterable[tuple[str, float]]) -> None:
        self._starts: dict[str, float] = {}
        self._inner: dict[str, float] = {}
        least = 0.0
        for piece, score in pieces:
            least = min(least, score)
            starts = piece.startswith(START)
            letters = piece[starts:].lower()
            if score < 0 and letters and len(letters) <= LONGEST_PIECE:  # special tokens have 0
                table = self._starts if starts else self._inner
                table[letters] = max(score, table.get(letters, -math.inf))
        self._unknown = least - 10

    def words(self, letters: str) -> list[str]:
        """The words of letters written without spaces. Hyphens and links hold no borders."""
        link = LINK.search(letters)
        if link:
            return [*(self.words(letters[: link.start()]) if link.start() else ()), letters[link.start() :]]
        found = [""]
        for number, part in enumerate(letters.split("-")):
            first, *others = self._cut(part) or [""]
            found[-1] += f"-{first}" if number else first
            found += others
        return found

    def _cut(self, letters: str) -> list[str]:
        found: list[str] = []
        for start in range(0, len(letters), LONGEST_TEXT):
            part = letters[start : start + LONGEST_TEXT]
            edges = [0, *self._borders(part.lower() if len(part.lower()) == len(part) else part), len(part)]
            found += [part[first:last] for first, last in pairwise(edges)]
        return found

    def _borders(self, letters: str) -> list[int]:
        """Where words begin in the best cut, the first aside."""
        size = len(letters)
        best = [0.0] + [-math.inf] * size
        came: list[tuple[int, bool]] = [(0, False)] * (size + 1)
        for at in range(size):
            so_far = best[at]
            for end in range(at + 1, min(size, at + LONGEST_PIECE) + 1):
                piece = letters[at:end]
                begins = self._starts.get(piece, -math.inf)
                goes_on = self._inner.get(piece, -math.inf) if at else -math.inf
                score = max(begins, goes_on)
                if end == at + 1 and score == -math.inf:
                    score = self._unknown
                if so_far + score > best[end]:
                    best[end] = so_far + score
                    came[end] = at, begins > goes_on
        borders, end = [], size
        while end:
            end, begins_word = came[end]
            if begins_word and end:
                borders.append(end)
        return borders[::-1]


def vocabulary_of(tokenizer: Tokenizer) -> Vocabulary | None:
    """The vocabulary of a fast tokenizer; None for one that is not unigram, or whose pieces know nothing of words."""
    model = orjson.loads(tokenizer.to_str())["model"]
    if model.get("type") != "Unigram":
        return None
    pieces = [(str(piece), float(score)) for piece, score in model["vocab"]]
    return Vocabulary(pieces) if any(piece.startswith(START) for piece, _ in pieces) else None
