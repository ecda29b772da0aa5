"""Pieces of a text, which are its tokens but for those that stand at every beginning and end, and unknown ones."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.worker.model.base import Classifier


class Pieces:
    """Counts pieces in token ids. Holds no state but what the classifier's tokenizer is.

    Args:
        classifier: its ``encode`` is called once, with an empty text: make this before its threads start.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._unknown_id = classifier.unknown_id
        self._around = len(classifier.encode([""])[0])

    @property
    def countable(self) -> bool:
        """Whether the tokenizer says of a piece that it is unknown."""
        return self._unknown_id is not None

    def total(self, rows: Sequence[Sequence[int]]) -> tuple[int, int]:
        """Pieces of all these encoded texts, and how many of them are unknown; nothing if they cannot be counted."""
        unknown = self._unknown_id
        if unknown is None:
            return 0, 0
        return sum(map(len, rows)) - self._around * len(rows), sum([ids.count(unknown) for ids in rows])

    def of(self, rows: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
        """The same for each of them."""
        return [self.total([ids]) for ids in rows]
