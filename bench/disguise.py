"""What a model makes of disguised texts, and of clean ones with and without the worker's normalization.

``python -m sluice.bench.disguise FOLDER [--count 3000] [--rare] [--normalization on]`` prints, by style and script, the
share of the blocked messages of the training templates that is blocked disguised too. Blocked is what the model calls
anything but ham.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from sluice.config.settings import read
from sluice.training.card import write_json
from sluice.training.disguises import Judge, Kept, measure, total
from sluice.training.notices import make_notices
from sluice.training.obfuscate import STYLES
from sluice.training.templates import make_examples
from sluice.worker.model.base import Classifier
from sluice.worker.model.card import CARD_FILE, read_card
from sluice.worker.model.disguise import KEY, NORMALIZATION
from sluice.worker.model.loader import load

SEED = 20
#: Messages a forward.
BATCH = 64


def load_with(folder: Path, normalization: bool) -> Classifier:
    """The classifier of a folder with the normalization on or off, whatever its sluice.json says."""
    with TemporaryDirectory() as place:
        copy = Path(shutil.copytree(folder, Path(place, "model")))
        facts = {name: value for name, value in read_card(copy).items() if name != KEY}
        write_json(copy / CARD_FILE, {**facts, **({KEY: NORMALIZATION} if normalization else {})})
        return load(read(model=str(copy), precision="fp32"))


def labels(classifier: Classifier, texts: Sequence[str]) -> list[str]:
    """The most likely label of each text."""
    ids = classifier.encode(texts)
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    result = [""] * len(ids)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        for row, probabilities in zip(rows, classifier.forward([ids[row] for row in rows]), strict=True):
            result[row] = classifier.labels[probabilities.index(max(probabilities))]
    return result


def judge_of(classifier: Classifier) -> Judge:
    """Blocked is what is not called ham."""
    return lambda texts: [label != "ham" for label in labels(classifier, texts)]


def templates(count: int) -> tuple[list[str], list[str]]:
    """Bad and ham messages, `count` made in all, each once."""
    made = [*make_examples(count // 2, SEED), *make_notices(count - count // 2, SEED)]
    texts = {example.text: example.label for example in made}
    bad = [text for text, label in texts.items() if label != "ham"]
    return bad, [text for text, label in texts.items() if label == "ham"]


def table_of(cells: Sequence[Kept]) -> Table:
    """Scripts down, styles across; each cell the share kept and how many were disguised."""
    table = Table("script", *STYLES)
    for script in [*sorted({cell.script for cell in cells}), "all"]:
        row = {cell.style: cell for cell in cells if cell.script == script}
        if script == "all":
            row = {style: total(cells, style) for style in STYLES}
        table.add_row(script, *(f"{100 * row[style].share:.1f}% of {row[style].disguised:,}" for style in STYLES))
    return table


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=3000, help="messages made from the templates")
    parser.add_argument("--rare", action="store_true", help="letters, marks and gaps that training does not see")
    parser.add_argument("--normalization", choices=("on", "off"), help="whatever sluice.json says")
    options = parser.parse_args()
    on = KEY in read_card(options.folder) if options.normalization is None else options.normalization == "on"
    bad, ham = templates(options.count)
    classifier = load_with(options.folder, on)
    cells = measure(judge_of(classifier), bad, options.rare, SEED)
    console = Console()
    console.print(table_of(cells))
    everything = total(cells)
    console.print(f"Blocked plain and disguised: {100 * everything.share:.2f}% of {everything.disguised:,}")
    texts = bad + ham
    bare = labels(load_with(options.folder, not on), texts)
    other = sum(one != two for one, two in zip(labels(classifier, texts), bare, strict=True))
    console.print(f"Plain texts whose label the normalization changes: {other} of {len(texts):,}")


if __name__ == "__main__":
    main()
