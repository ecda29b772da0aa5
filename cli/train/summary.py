"""What `sluice train` says at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.cli.output import screen
from sluice.training.tables import print_scores

if TYPE_CHECKING:
    from sluice.training.options import TrainOptions
    from sluice.training.train import TrainResult


def show(result: TrainResult, options: TrainOptions) -> None:
    """The scores of the model that was written, and how to serve it."""
    console = screen()
    console.print(f"Best after epoch {result.best_epoch + 1} of {result.epochs}, on the validation data:")
    print_scores(console, result.scores)
    calibration = result.calibration
    console.print(
        f"Temperature {calibration.temperature:.3f}: calibration error {calibration.ece_before:.3f} before and "
        f"{calibration.ece_after:.3f} after",
        soft_wrap=True,
    )
    for note in calibration.notes:
        console.print(f"note: {note}", soft_wrap=True)
    if result.corrections:
        counts = result.corrections
        console.print(
            f"Of {counts['learned']:,} corrections the model gets {counts['right']:,} right; "
            f"{counts['right_before']:,} had been answered rightly",
            soft_wrap=True,
        )
    console.print(
        f"Written to {result.folder}, as {options.name} {options.version}. Serve it with SLUICE_MODEL={result.folder}",
        soft_wrap=True,
    )
