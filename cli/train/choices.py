"""What the options of `sluice train` mean together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.train.values import LayerCount

if TYPE_CHECKING:
    from sluice.training.augment import MixOptions
    from sluice.training.fit import FitOptions
    from sluice.training.pipeline import TrainOptions

#: Defaults of a small model from nothing, and of an encoder that is fine-tuned.
MINI: dict[str, Any] = {
    "epochs": 28,
    "batch": 64,
    "learning_rate": 1.2e-3,
    "layer_decay": 1.0,
    "head_rate": None,
    "freeze": None,
}
BASE: dict[str, Any] = {
    "epochs": 4,
    "batch": 32,
    "learning_rate": 8e-5,
    "layer_decay": 0.9,
    "head_rate": 3e-4,
    "freeze": 0,
}
MINI_VOCABULARY = 9000


def check(given: Mapping[str, Any]) -> None:
    """Raises click.BadParameter where options do not go together."""
    if given["width"] % 32:
        raise click.BadParameter("must be a multiple of 32", param_hint="--width")
    if given["keep_layers"] and not given["base"]:
        raise click.BadParameter(
            "there is no base to keep layers of: give --base, or --layers for mini", param_hint="--keep-layers"
        )


def train_options(given: Mapping[str, Any]) -> TrainOptions:
    """The options of a run, defaults put in.

    Raises ModelUnavailable for a device that is not there.
    """
    from sluice.training.base import BaseOptions
    from sluice.training.pipeline import TrainOptions
    from sluice.worker.model.torch_classifier import choose_device

    base = given["base"]
    teacher = given["teacher"] if given["teacher"] is not None else not base
    return TrainOptions(
        base=base,
        teachers=given["teacher_model"],
        taken=BaseOptions(given["keep_layers"], given["vocabulary"] if base else None, given["head"]),
        seed=given["seed"],
        fit=_fit_options(given, teacher),
        mix=_mix_options(base is not None, teacher),
        width=given["width"],
        layers=given["layers"],
        heads=given["width"] // 32,
        vocab=given["vocabulary"] or MINI_VOCABULARY,
        templates=given["templates"],
        device=str(choose_device(given["device"])),
        name=given["name"],
        version=given["model_version"],
        author=given["author"],
    )


def _mix_options(base: bool, teacher: bool) -> MixOptions:
    from sluice.training.augment import MixOptions

    chosen = MixOptions() if teacher else MixOptions(spliced=0.0, teacher_share=0.0)
    if base:  # it knows languages already: fewer copies with tricks, more of the notices it has never seen
        return replace(chosen, templates=0.3, notices=0.35, obfuscated=0.08, damaged=0.04, spliced=0.0)
    return chosen


def _fit_options(given: Mapping[str, Any], teacher: bool) -> FitOptions:
    from sluice.training.fit import FitOptions

    base = given["base"]
    chosen = {
        name: given[name] if given[name] is not None else default for name, default in (BASE if base else MINI).items()
    }
    if chosen["freeze"] == LayerCount.NONE:
        chosen["freeze"] = None
    return FitOptions(
        **chosen,
        weight_decay=0.01 if base else 0.05,
        label_smoothing=0.05 if base else 0.0,
        token_dropout=0.05 if teacher or not base else 0.0,
        max_length=given["max_length"],
        average=FitOptions.average if teacher or not base else 0.0,
        patience=given["patience"],
        amp=given["amp"],
    )
