"""`sluice evaluate`: how good a classifier is on a CSV of labelled messages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from sluice.training.data import Example
    from sluice.worker.model.base import Classifier


DISGUISE_SEED = 5
"""So that the same file always gives the same copies."""


@dataclass(frozen=True)
class ModelChoice:
    """The loader's settings, from the command line."""

    model: str
    max_text_length: int
    use_fp16: bool
    device: str
    mbert_model_path: str | None = None
    precision: str = "auto"
    packed: bool = True


@click.command(
    epilog="""
Examples:

\b
  sluice evaluate models/sms-mini labelled.csv
  sluice evaluate mbert_ots_model_2.5.pth labelled.csv -o scores
"""
)
@click.argument("model")
@click.argument("data", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for metrics.json and confusion.png.",
)
@click.option(
    "--disguised", is_flag=True, help="Score copies in which all but ham is obfuscated (look-alikes, zero width, …)."
)
@click.option("--text-column", default="text", show_default=True)
@click.option("--label-column", default="label", show_default=True)
@click.option(
    "--max-length", type=click.IntRange(8, 512), default=96, show_default=True, help="Tokens read of a message."
)
@click.option("--batch", type=click.IntRange(1), default=64, show_default=True, help="Messages a forward.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: torch's]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
def evaluate(
    model: str,
    data: Path,
    folder: Path | None,
    disguised: bool,
    text_column: str,
    label_column: str,
    max_length: int,
    batch: int,
    threads: int | None,
    device: str,
) -> None:
    """Score MODEL (a folder, a hub id or a .pth file) on the CSV file DATA, the way the service runs it."""
    from sluice.cli.extras import require

    require("train")
    from sluice.cli.output import screen
    from sluice.training.data import Columns, DataError, read_examples
    from sluice.training.scores import score
    from sluice.training.tables import print_scores

    try:
        read_examples(data, None, Columns(text_column, label_column))
        classifier = _load(ModelChoice(model, max_length, True, device), threads)
        examples = read_examples(data, classifier.labels, Columns(text_column, label_column))
    except DataError as error:
        raise click.ClickException(str(error)) from None
    if disguised:
        from sluice.training.augment import disguised as disguise

        examples = disguise(examples, DISGUISE_SEED)
    probabilities, seconds = _classify(classifier, examples, batch)
    scores = score(examples, probabilities, classifier.labels)
    console = screen()
    speed = len(examples) / seconds
    console.print(f"{classifier.info.name} {classifier.info.version} on {classifier.device}, {speed:,.0f} messages/s")
    print_scores(console, scores)
    if folder is not None:
        from sluice.training.card import write_json
        from sluice.training.plots import save_confusion

        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "metrics.json", scores.as_dict())
        save_confusion(scores, folder / "confusion.png", f"{classifier.info.name} {classifier.info.version}")
        console.print(f"Written to {folder}/metrics.json and {folder}/confusion.png", soft_wrap=True)


def _load(choice: ModelChoice, threads: int | None) -> Classifier:
    import torch

    from sluice.worker.model.loader import load

    if threads is not None:
        torch.set_num_threads(threads)
    return load(choice)


def _classify(classifier: Classifier, examples: Sequence[Example], batch: int) -> tuple[np.ndarray, float]:
    """Probabilities, (examples, labels), in order, and the seconds that encoding and forwards took."""
    import time

    import numpy as np
    from rich.progress import track

    from sluice.cli.output import screen

    began = time.perf_counter()
    ids = classifier.encode([example.text for example in examples])
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    result = np.zeros((len(ids), len(classifier.labels)), dtype=np.float32)
    for start in track(range(0, len(order), batch), "Classifying", console=screen(stderr=True), transient=True):
        rows = order[start : start + batch]
        result[rows] = classifier.forward([ids[row] for row in rows])
    return result, time.perf_counter() - began
