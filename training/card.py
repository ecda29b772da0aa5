"""The files that say what a model folder is: sluice.json, metrics.json and the model card."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sluice.training.data import Example
from sluice.training.scores import Scores


def write_json(path: Path, facts: Mapping[str, Any]) -> None:
    """Writes readable JSON in UTF-8."""
    path.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_card(folder: Path, facts: Mapping[str, Any], data: Sequence[Example], scores: Scores) -> None:
    """Writes README.md: what the model is, what it learned from, how it scored, how to use it."""
    lines = [
        f"# {facts['name']} {facts['version']}",
        "",
        f"{facts['architecture']}. Classes: {', '.join(scores.labels)}.",
        f"Trained {facts['last_training']} by {facts['author']}.",
        "",
        "## Data",
        "",
        *counts_table(data, scores.labels),
        "",
        f"## Scores on {scores.messages:,} messages that were not learned from",
        "",
        *scores_tables(scores),
        "",
        "## Use",
        "",
        "    SLUICE_MODEL=<this folder> sluice up",
        "",
    ]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")


def counts_table(data: Sequence[Example], labels: Sequence[str]) -> list[str]:
    """Messages by source and label, as a Markdown table."""
    counts = Counter((example.source or "unnamed", example.label) for example in data)
    sources = sorted({source for source, _ in counts}, key=lambda name: -sum(counts[name, label] for label in labels))
    rows = [[source, *(f"{counts[source, label]:,}" for label in labels)] for source in sources]
    return markdown_table(["source", *labels], rows)


def scores_tables(scores: Scores) -> list[str]:
    """Scores by class and by language, as Markdown tables."""
    classes = [
        [one.label, f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", f"{one.support:,}"]
        for one in scores.classes
    ]
    lines = [f"Accuracy {scores.accuracy:.3f}, macro-F1 {scores.macro_f1:.3f}.", ""]
    lines += markdown_table(["class", "precision", "recall", "F1", "messages"], classes)
    if scores.languages:
        groups = [
            [one.name, f"{one.messages:,}", f"{one.accuracy:.3f}", f"{one.macro_f1:.3f}"] for one in scores.languages
        ]
        lines += ["", *markdown_table(["language", "messages", "accuracy", "macro-F1"], groups)]
    return lines


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, its first column left-aligned."""
    ruler = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, ruler, *rows)]
