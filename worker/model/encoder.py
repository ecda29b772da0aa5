"""Text to token ids: bounded in cost, and never raising, whatever the text holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tokenizers import Tokenizer

CHARS_PER_TOKEN = 24
"""Characters tried first for each token of the limit; real text needs 2 to 5."""
SAFE_CHARS = 256
"""A cut disturbs at most the tokens this close to it."""


class TextEncoder:
    """Wraps a fast tokenizer. Owned by one thread at a time."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        max_length: int,
        pad_id: int,
        unknown_id: int,
        normalizer: Callable[[str], str] | None = None,
    ) -> None:
        """`normalizer`: done to a text before the tokenizer; `disguise.Normalizer` for models trained with it."""
        self.max_length = max_length
        self.pad_id = pad_id
        self.unknown_id = unknown_id
        self._cut_at = CHARS_PER_TOKEN * max_length + SAFE_CHARS
        self._normalizer = normalizer
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length)
        self._no_words: list[int] = self._tokenizer.encode("").ids

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """One list of ids for each text, special tokens included, at most `max_length` long."""
        try:
            return self._encode(texts)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            # A tokenizer written in Rust can panic on a text, which is no Exception. Only that text may suffer.
            if len(texts) == 1:
                return [list(self._no_words)]
            return [self.encode([text])[0] for text in texts]

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        cleaned = [clean(text) for text in texts]
        if self._normalizer is not None:
            cleaned = [self._normalizer(text) for text in cleaned]
        short = [text if len(text) <= self._cut_at else "" for text in cleaned]
        rows: list[list[int]] = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(short)]
        for row, text in enumerate(cleaned):
            if len(text) > self._cut_at:
                rows[row] = self._encode_long(text)
        return rows

    def _encode_long(self, text: str) -> list[int]:
        """Encodes a prefix, growing it until the limit is reached well before the cut.

        So the ids equal those of the whole text, at a cost that does not grow with it.
        """
        cut_at = self._cut_at
        while cut_at < len(text):
            encoding = self._tokenizer.encode(text[:cut_at])
            read = max((end for _, end in encoding.offsets), default=0)
            if len(encoding.ids) >= self.max_length and read <= cut_at - SAFE_CHARS:
                return list(encoding.ids)
            cut_at *= 4
        return list(self._tokenizer.encode(text).ids)


def clean(text: str) -> str:
    """Joins surrogate pairs and replaces lone surrogates, which no tokenizer accepts."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
