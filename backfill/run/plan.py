"""What one backfill is to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sluice.backfill.run.read_options import ReadOptions
from sluice.tasks.prediction_options import PredictionOptions

#: Most messages under way at once: what bounds the memory and what the broker holds.
DEFAULT_MAX_IN_FLIGHT = 16_384


@dataclass(frozen=True, slots=True)
class Plan:
    """``inputs`` are paths, globs, folders or ``-`` for standard input, in the order in which they are read.

    Attributes:
        target: where the output appears; the run's folder is ``<target>.sluice`` beside it.
        output_format: ``csv``, ``tsv``, ``jsonl``, ``parquet`` or ``sqlite``.
        scores: whether the output has one column per class.
        verdict: whether it says what to do about each message, and by which rule.
        max_text_chars: longest text that the service accepts.
        max_in_flight: most messages under way at once.
        restart: forget what an earlier run has done.
        streamed: the rows go to standard output as they are answered, and ``target`` is only where the folder is.
        plain: those of ``inputs`` that may be plain text though their names do not say so.
        names: what the caller calls ``inputs``, where that is something else.
        max_unpacked_bytes: most bytes that the inputs may have when unpacked; 0 for no limit.
    """

    inputs: tuple[str, ...]
    target: Path
    output_format: str
    read: ReadOptions = field(default_factory=ReadOptions)
    scores: bool = False
    verdict: bool = False
    max_text_chars: int = 5_000
    max_in_flight: int = DEFAULT_MAX_IN_FLIGHT
    restart: bool = False
    max_unpacked_bytes: int = 0
    streamed: bool = False
    plain: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def options(self) -> PredictionOptions:
        """What answers hold besides label and probability."""
        return PredictionOptions(self.scores, self.verdict)

    def name_of(self, given: str) -> str:
        """What messages call one of ``inputs``."""
        return self.names.get(given, given)

    @property
    def shown(self) -> str:
        """What messages call the output."""
        return "standard output" if self.streamed else str(self.target)

    @property
    def folder(self) -> Path:
        """Where the checkpoint, the partial output and unpacked inputs are until the run is complete."""
        return self.target.with_name(f"{self.target.name}.sluice")
