"""The labels of an output, as the page shows them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sluice.backfill.report import palette, plots
from sluice.backfill.report.findings import Findings
from sluice.backfill.report.masking import visible
from sluice.backfill.report.page.view import CountLine, CountTable, Name, Picture, Prose, Swatch

#: Longest name of a label, a column, a model that is shown.
MAX_NAME_CHARS = 60
#: Unicode's classes of letters and digits that are written so.
RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def in_sentence(name: str) -> str | Name:
    """The name of a label or a measure as a sentence has it."""
    shown = visible(name, MAX_NAME_CHARS)
    return Name(shown) if any(unicodedata.bidirectional(char) in RIGHT_TO_LEFT for char in shown) else shown


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels that occur, the most frequent first, with their looks.

    Attributes:
        order: their numbers in the findings.
        names: as they are called, in this order.
        styles: numbers of colour and of round, as ``palette.styles`` has them.
        swatches: names with their colours.
        drawn: names as pictures have them.
    """

    order: list[int]
    names: list[str]
    styles: list[tuple[int, int]]
    swatches: list[Swatch]
    drawn: list[str]

    @classmethod
    def of(cls, found: Findings) -> Labels:
        """Labels that no row got are left out. Colours depend on all names, not on the counts."""
        counts = found.counts
        by_name = dict(zip(sorted(found.labels), palette.styles(sorted(found.labels)), strict=True))
        order = sorted((at for at in range(len(counts)) if counts[at]), key=lambda at: (-counts[at], found.labels[at]))
        names = [found.labels[at] for at in order]
        styles = [by_name[name] for name in names]
        swatches = [Swatch(name, f"l{colour} h{round_}") for name, (colour, round_) in zip(names, styles, strict=True)]
        return cls(order, names, styles, swatches, plots.drawable(names))

    @property
    def shown(self) -> list[str | Name]:
        """Names as sentences have them."""
        return [in_sentence(name) for name in self.names]

    def named(self, unwanted: frozenset[str]) -> str:
        """Those of ``unwanted`` that occur: ``spam + phishing``."""
        return " + ".join(visible(name, MAX_NAME_CHARS) for name in self.names if name in unwanted)

    def picture(self, draw: Callable[[plots.Look], bytes], alt: str, caption: Prose) -> Picture:
        """What ``draw`` makes, for light and for dark pages."""
        made = []
        for theme in (palette.LIGHT, palette.DARK):
            with plots.styled(theme):
                made.append(draw(plots.Look(theme, self.drawn, self.styles)))
        return Picture(made[0], made[1], alt, caption, plots.WIDTH)

    def table(self, title: str, head: str, names: Sequence[str], counts: np.ndarray) -> CountTable:
        """A line for each of ``names`` that has rows; ``counts`` has shape (names, labels), labels as in ``order``."""
        lines = [
            CountLine(name, sum(by_label), by_label)
            for name, by_label in zip(names, counts.tolist(), strict=True)
            if any(by_label)
        ]
        return CountTable(title, head, self.swatches, lines)
