"""Texts of a job that hold half a surrogate pair, such as ``"\\ud83d"``: JSON by its grammar, but no text.

Nothing that validates can hold them, and each is the caller's mistake in one message only. So they are taken out of
the body before it is validated, and put back afterwards: the worker gives each an error entry of its own.
"""

from __future__ import annotations

from typing import Any

from sluice.tasks.envelope import is_unicode

#: Stands for such a text while the body is validated.
PLACEHOLDER = "?"

LoneSurrogates = dict[int, str]
"""Index in the job → the text."""


def take_out(parsed: Any) -> LoneSurrogates:
    """Replace the texts of a parsed job body that are none; returns them."""
    if not isinstance(parsed, dict):
        return {}
    found: LoneSurrogates = {}
    texts, messages = parsed.get("texts"), parsed.get("messages")
    if isinstance(texts, list):
        for index, text in enumerate(texts):
            if _is_lone(text):
                found[index], texts[index] = text, PLACEHOLDER
    if isinstance(messages, list):
        for index, message in enumerate(messages):
            if isinstance(message, dict) and _is_lone(message.get("text")):
                found[index], message["text"] = message["text"], PLACEHOLDER
    return found


def _is_lone(text: Any) -> bool:
    return isinstance(text, str) and not is_unicode(text)
