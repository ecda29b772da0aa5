"""A sentence of an error: words, and the facts among them, which whoever shows it says in a way of its own."""

from __future__ import annotations

from collections.abc import Callable
from string import Formatter

#: Says one fact.
Words = Callable[[object], str]


class Sentence:
    """``Sentence("{file} has no column {column} ({option})", file=…, column=…, option=…)``.

    Args:
        template: words, with names of facts in braces.
        facts: strings and numbers are said as they are; of other classes, who shows the sentence has words.
    """

    def __init__(self, template: str, **facts: object) -> None:
        self.template = template
        self.facts = facts

    def said(self, words: Words) -> str:
        """The sentence, with each fact as ``words`` says it."""
        parts: list[str] = []
        for plain, name, _, _ in Formatter().parse(self.template):
            parts.append(plain)
            if name is not None:
                fact = self.facts[name]
                parts.append(fact.said(words) if isinstance(fact, Sentence) else words(fact))
        return "".join(parts)

    def __str__(self) -> str:
        return self.said(str)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sentence) and (self.template, self.facts) == (other.template, other.facts)

    def __hash__(self) -> int:
        return hash(self.template)
