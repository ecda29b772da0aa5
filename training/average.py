"""One model from several: the mean of the weights of runs that started alike and saw the data in other orders.

    python -m sluice.training.average RUN RUN … -o FOLDER

It costs a forward no more than one of them. Method: Wortsman et al. (2022), "Model soups", arXiv:2203.05482.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import click
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from sluice.training.card import write_json
from sluice.training.data import DataError, read_bytes
from sluice.training.record import FILE as RECORD_FILE
from sluice.worker.model.card import CARD_FILE
from sluice.worker.model.storage import FILE

SAME = ("config.json", "tokenizer.json")
"""Files that must be alike in all folders, to the byte."""
COPIED = (*SAME, "tokenizer_config.json")
MEASURED = ("metrics", "temperature", "thresholds", "calibration")
"""Facts of a run that are not those of the mean."""


def average(folders: Sequence[Path], target: Path) -> None:
    """Writes the model folder `target`: the weights averaged, all else as in the first of `folders` but its scores.

    What the runs were made of goes into `training.json`, by the name of each folder.
    Raises DataError when a folder lacks a file, or they are not of one shape and vocabulary.
    """
    if len(folders) < 2:
        raise DataError("Two folders or more are needed.")
    first, *others = folders
    for name in SAME:
        expected = read_bytes(first / name)
        for other in others:
            if read_bytes(other / name) != expected:
                raise DataError(f"{other}: its {name} is not that of {first}; average runs of one base and vocabulary.")
    weights = _mean([_weights(folder) for folder in folders])
    target.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        if (first / name).is_file():
            shutil.copyfile(first / name, target / name)
    facts = json.loads(read_bytes(first / CARD_FILE))
    write_json(target / CARD_FILE, {name: fact for name, fact in facts.items() if name not in MEASURED})
    save_file(weights, str(target / FILE), metadata={"format": "pt"})
    (target / FILE).chmod(0o644)
    runs = {folder.name: json.loads(read_bytes(folder / RECORD_FILE)) for folder in folders}
    write_json(target / RECORD_FILE, {"averaged": runs})


def _mean(states: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """float16, as runs are written; summed in float64, so that their order changes nothing."""
    return {
        name: (sum((state[name].double() for state in states), torch.zeros(())) / len(states)).half().contiguous()
        for name in states[0]
    }


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(str(folder / FILE))
    except (OSError, SafetensorError) as error:
        raise DataError(f"{folder / FILE}: cannot be read ({error}).") from None


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("-o", "--output", "target", required=True, type=click.Path(path_type=Path, file_okay=False))
def main(folders: tuple[Path, ...], target: Path) -> None:
    """Average the weights of the model folders FOLDERS, made by `sluice train --base` with different seeds."""
    try:
        average(folders, target)
    except DataError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Written to {target}: the mean of {len(folders)} runs")


if __name__ == "__main__":
    main()
