"""The section of examples: texts of each label; only where they are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sluice.backfill.report.examples import Example, Examples
from sluice.backfill.report.page.labels import Labels
from sluice.backfill.report.page.view import Section, Swatch


@dataclass(frozen=True, slots=True)
class ExampleList:
    """Texts of a label with their probabilities."""

    label: Swatch
    kind: str
    texts: Sequence[Example]


@dataclass(frozen=True, slots=True)
class ExampleLists:
    """Two lists for each label that has texts."""

    template: ClassVar[str] = "examples.html"
    lists: Sequence[ExampleList]


def examples(kept: Examples, labels: Labels) -> Section:
    return ExampleLists(
        [
            ExampleList(label, kind, texts[number])
            for number, label in zip(labels.order, labels.swatches, strict=True)
            for kind, texts in (("surest", kept.surest), ("least sure", kept.least))
            if number in texts
        ]
    )
