"""Messages that read alike for the model (equal token ids): one text, from when the second is tokenised until the first
is answered. It belongs to all its messages equally: it runs as long as one of them wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sluice.worker.engine.intake import kept
from sluice.worker.engine.mail import Answer, EncodedText, InFlightEnvelope, MessageRef, ModelFree

Answered = tuple[list[MessageRef], Answer]
"""Messages, and the answer that they all get."""


class AlikeTexts:
    """Finds the text that a message may share.

    Args:
        share: False: every message has a text of its own.
        promote: called with a bulk text that waits, when an interactive message joins it.
    """

    def __init__(self, *, share: bool, promote: Callable[[EncodedText], None]) -> None:
        self._share = share
        self._promote = promote
        self._texts: dict[tuple[int, ...], EncodedText] = {}

    def join(self, ref: MessageRef, ids: list[int]) -> EncodedText | None:
        """Let a message share a text that reads alike; a new text if there is none."""
        envelope = ref[0]
        if not self._share:
            return EncodedText(ids, [ref], envelope.bulk, envelope.arrived)
        key = tuple(ids)
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = EncodedText(ids, [ref], envelope.bulk, envelope.arrived, key)
            return text
        if text.in_batch:
            if text.late is None:
                text.late = []
            text.late.append(ref)
            return None
        text.refs.append(ref)
        if text.bulk and not envelope.bulk:
            self._promote(text)
        return None

    def part(self, text: EncodedText) -> None:
        """Nobody may join the text any more: it is answered, or unwanted."""
        if text.key is not None:
            del self._texts[text.key]

    def settle(self, note: ModelFree) -> list[Answered]:
        """A batch is done: those who joined its texts on the way, with the answers that they share."""
        late: list[Answered] = []
        if self._share:
            for text, answer in zip(note.batch, note.answers, strict=True):
                self.part(text)
                if text.late:
                    late.append((text.late, answer))
        return late

    def reopen(self, texts: Iterable[EncodedText]) -> None:
        """Their batch is not run: whoever joined on the way waits like the others."""
        for text in texts:
            text.in_batch = False
            if text.late:
                text.refs.extend(text.late)
                text.bulk = all(envelope.bulk for envelope, _ in text.refs)
            text.late = None

    def forget(self, unwanted: Callable[[InFlightEnvelope], bool]) -> None:
        """Drop the messages of these envelopes that joined a batch on the way."""
        for text in self._texts.values():
            if text.late:
                text.late = kept(text.late, unwanted)
