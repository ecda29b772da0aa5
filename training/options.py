"""What a run of `sluice train` is asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sluice.training.augment import MixOptions
from sluice.training.base import BaseOptions
from sluice.training.fit import FitOptions

PATHS = ("base", "continued")
"""Options that may name a folder; which files it holds is recorded beside."""


@dataclass(frozen=True)
class TrainOptions:
    """All that decides what comes out, besides the data."""

    base: str | None = None
    """A folder or hub id to fine-tune; None trains the small model from nothing."""
    continued: str | None = None
    """A folder or hub id of a trained classifier to go on with, its head included; wins over `base`."""
    taken: BaseOptions = field(default_factory=BaseOptions)
    """What is taken of the base, and the head of either."""
    seed: int = 1
    fit: FitOptions = field(default_factory=FitOptions)
    mix: MixOptions = field(default_factory=MixOptions)
    teachers: tuple[str, ...] = ()
    """Trained classifiers whose answers are learned beside the labels."""
    teacher_temperature: float = 1.0
    """Above 1 softens their answers."""
    feedback_weight: int = 1
    width: int = 128
    layers: int = 2
    heads: int = 4
    vocabulary: int = 6000
    templates: bool = True
    store: str = "fp16"
    """ "fp32", "fp16" or "int8": how the folder holds the weights."""
    device: str = "cpu"
    name: str = "model"
    version: str = "1"
    author: str = "unknown"

    def decisive(self) -> dict[str, Any]:
        """What the weights depend on, as plain values, without paths."""
        choices = {name: value for name, value in asdict(self).items() if name not in ("name", "version", "author")}
        choices |= {name: _named(choices[name]) for name in PATHS if choices[name] is not None}
        choices["teachers"] = [_named(one) for one in self.teachers]
        return choices


def _named(spec: str) -> str:
    """A folder's own name; a hub id as it is."""
    return Path(spec).resolve().name if Path(spec).is_dir() else spec
