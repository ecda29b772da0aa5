"""What the worker asks of a classifier, and what one asks of the settings. Imports no model library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from sluice.worker.model.thresholds import Thresholds

#: Batches that a device may hold at once where it takes them ahead (``submit`` and ``collect``).
BATCHES_AHEAD = 3


class ModelSettings(Protocol):
    """The settings that decide which model runs, where, and on how much of a text."""

    @property
    def model(self) -> str:
        """A folder, a hub id, an OpenTextShield checkpoint or `simulated:?…`."""

    @property
    def mbert_model_path(self) -> str | None:
        """An OpenTextShield checkpoint, or the folder of one; wins over `model`."""

    @property
    def max_text_length(self) -> int:
        """Tokens of a text that are read, special tokens included."""

    @property
    def use_fp16(self) -> bool:
        """Half precision, on CUDA only."""

    @property
    def precision(self) -> str:
        """ "auto", "fp32", "fp16", "bf16" or "int8"."""

    @property
    def packed(self) -> bool:
        """Whether BERT-like models run without padding."""

    @property
    def device(self) -> str:
        """ "auto", "cpu", "cuda" or "cuda:N"."""


@dataclass(frozen=True)
class ModelInfo:
    """The facts of one set of weights: those that callers are shown with every answer, and how to read its logits."""

    name: str
    version: str
    architecture: str
    author: str
    last_training: str
    temperature: float = 1.0
    """Probabilities are softmax(logits / temperature), which makes them calibrated."""
    thresholds: Thresholds | None = field(default=None, hash=False)
    """From when on labels are acted on; None if the weights came without."""


@runtime_checkable
class Classifier(Protocol):
    """A loaded model. `encode` belongs to the batcher thread, everything else to the model thread."""

    info: ModelInfo
    labels: tuple[str, ...]
    device: str
    """Where it runs, as torch writes it: "cpu", "cuda:0"."""
    precision: str
    """What its matrices are computed in: "float32", "float16", "bfloat16" or "int8"."""
    padded: bool
    """True: a batch costs (longest message) * (messages), so batches should be cut length-sorted."""

    unknown_id: int | None
    """The id that stands for what the tokenizer does not know; None: there is no such id, so nobody can count."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Turns texts into token ids, special tokens included, each cut to the text limit.

        Never raises for a `str`, whatever it holds.
        """

    def forward(self, batch: Sequence[list[int]]) -> list[list[float]]:
        """Turns encoded messages into probabilities, shaped (messages, labels)."""

    def warm_up(self, max_batch: int) -> None:
        """Runs batches of up to `max_batch` messages, so that the first real one meets no set-up cost."""

    def is_out_of_memory(self, exc: BaseException) -> bool:
        """Whether a smaller batch might succeed where `exc` was raised."""

    def is_fatal(self, exc: BaseException) -> bool:
        """Whether the device is lost, so that only a new process can go on."""
