"""How well a classifier sees through disguises: what of the blocked stays blocked, by style and script."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sluice.training.obfuscate import STYLES, disguise, script

Judge = Callable[[Sequence[str]], Sequence[bool]]
"""Whether each text is blocked."""


@dataclass(frozen=True)
class Kept:
    """Messages of one script that are blocked in plain writing, disguised in one style."""

    style: str
    script: str
    disguised: int
    """How many the style changed; the others do not count."""
    kept: int
    """How many of those are blocked still."""

    @property
    def share(self) -> float:
        """1 where nothing was disguised."""
        return self.kept / self.disguised if self.disguised else 1.0


def measure(judge: Judge, texts: Sequence[str], rare: bool, seed: int, copies: int = 1) -> list[Kept]:
    """Every style by every script among the texts that `judge` blocks in plain writing; `copies` of each text."""
    rng = random.Random(seed)
    blocked = [text for text, bad in zip(texts, judge(texts), strict=True) if bad] * copies
    scripts = [script(text) for text in blocked]
    cells = []
    for style in STYLES:
        copied = [disguise(text, style, rng, rare) for text in blocked]
        verdicts = judge(copied)
        for name in sorted(set(scripts)):
            rows = [row for row, own in enumerate(scripts) if own == name and copied[row] != blocked[row]]
            cells.append(Kept(style, name, len(rows), sum(bool(verdicts[row]) for row in rows)))
    return cells


def total(cells: Sequence[Kept], style: str | None = None) -> Kept:
    """All scripts together, of one style or of all."""
    chosen = [cell for cell in cells if style in (None, cell.style)]
    return Kept(style or "all", "all", sum(cell.disguised for cell in chosen), sum(cell.kept for cell in chosen))
