"""What `sluice train` says at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.cli.output import screen
from sluice.training.tables import print_scores

if TYPE_CHECKING:
    from sluice.training.pipeline import TrainOptions, TrainResult


def show(result: TrainResult, options: TrainOptions) -> None:
    """The scores of the model that was written, and how to serve it."""
    console = screen()
    console.print(f"Best after epoch {result.best_epoch + 1} of {result.epochs}, on the validation data:")
    print_scores(console, result.scores)
    console.print(
        f"Written to {result.folder}, as {options.name} {options.version}. Serve it with SLUICE_MODEL={result.folder}",
        soft_wrap=True,
    )
