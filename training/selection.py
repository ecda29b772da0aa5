"""Which epoch of a run is kept: the best on validation data and on disguised copies of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.training.augment import disguised
from sluice.training.data import Example
from sluice.training.fit import FitOptions, Swapped, predict
from sluice.training.obfuscate import DISGUISE_SEED
from sluice.training.parts import Weights
from sluice.training.record import Record
from sluice.training.scores import Scores, score
from sluice.training.start import Start
from sluice.training.watcher import Watcher


class Selection:
    """Judges each epoch, and keeps the weights of the best one.

    Attributes:
        epoch: the best one so far, from 0; -1 before any.
        weights: its averaged weights, of what learns.
    """

    def __init__(
        self,
        start: Start,
        valid: Sequence[Example],
        labels: Sequence[str],
        options: FitOptions,
        record: Record,
        watcher: Watcher,
    ) -> None:
        self.epoch = -1
        self.weights: Weights = {}
        self._sum_of_f1 = -1.0
        self._start = start
        self._pools = (list(valid), disguised(valid, DISGUISE_SEED))
        self._labels = labels
        self._options = options
        self._record = record
        self._watcher = watcher

    def judge(self, epoch: int, loss: float, weights: Weights) -> bool:
        """Scores the weights of an epoch; returns whether another epoch is worth its time."""
        with Swapped(self._start.model, weights):
            plain, hidden = (
                measure(self._start, pool, self._labels, self._options.amp).macro_f1 for pool in self._pools
            )
        self._watcher.say(
            f"Epoch {epoch + 1} of {self._options.epochs}: loss {loss:.4f}, macro-F1 {plain:.4f}, "
            f"on disguised copies {hidden:.4f}"
        )
        scores = {"loss": round(loss, 5), "macro_f1": round(plain, 5), "disguised_macro_f1": round(hidden, 5)}
        self._record.epochs.append({"epoch": epoch + 1, **scores})
        if plain + hidden > self._sum_of_f1:
            self.epoch, self._sum_of_f1 = epoch, plain + hidden
            self.weights = {name: value.cpu() for name, value in weights.items()}
        return self._goes_on(epoch)

    def _goes_on(self, epoch: int) -> bool:
        patience = self._options.patience
        if patience is None or epoch - self.epoch < patience or epoch + 1 == self._options.epochs:
            return True
        self._watcher.say(f"Ended early: no better for {epoch - self.epoch} epochs")
        return False

    def state(self) -> dict[str, Any]:
        """What is known so far, as tensors and plain values."""
        return {
            "epoch": self.epoch,
            "sum_of_f1": self._sum_of_f1,
            "weights": self.weights,
            "epochs": self._record.epochs,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Goes on with what was known."""
        self.epoch, self._sum_of_f1 = state["epoch"], state["sum_of_f1"]
        self.weights = dict(state["weights"])
        self._record.epochs[:] = state["epochs"]


def measure(start: Start, examples: Sequence[Example], labels: Sequence[str], amp: str = "off") -> Scores:
    """How the model as it is does on `examples`."""
    ids = start.encode([example.text for example in examples])
    return score(examples, predict(start.model, ids, start.pad_id, amp=amp), labels)
