"""What the options of `sluice train` mean together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.train.values import LayerCount

if TYPE_CHECKING:
    import torch

    from sluice.training.augment import MixOptions
    from sluice.training.fit import FitOptions
    from sluice.training.options import TrainOptions

#: Defaults of a small model from nothing, of an encoder that is fine-tuned, and of a version that is continued.
MINI: dict[str, Any] = {
    "epochs": 28, "batch": 64, "learning_rate": 1.2e-3, "layer_decay": 1.0, "head_rate": None, "freeze": None,
}  # fmt: skip
BASE: dict[str, Any] = {
    "epochs": 4, "batch": 32, "learning_rate": 8e-5, "layer_decay": 0.9, "head_rate": 3e-4, "freeze": 0,
}  # fmt: skip
CONTINUED: dict[str, Any] = {
    "epochs": 2, "batch": 32, "learning_rate": 2e-5, "layer_decay": 0.9, "head_rate": None, "freeze": 0,
}  # fmt: skip
MINI_VOCABULARY = 9000
#: Rates of a version that is continued, as a share of those that it was trained with.
CONTINUED_SHARE = 0.25
#: Options of another beginning, which a version that is continued has behind it.
NOT_CONTINUED = ("base", "keep_layers", "head", "vocabulary")


def check(given: Mapping[str, Any]) -> None:
    """Raises click.BadParameter where options do not go together."""
    if given["width"] % 32:
        raise click.BadParameter("must be a multiple of 32", param_hint="--width")
    if given["keep_layers"] and not given["base"]:
        raise click.BadParameter(
            "there is no base to keep layers of: give --base, or --layers for mini", param_hint="--keep-layers"
        )
    if given["continued"]:
        for name in NOT_CONTINUED:
            if given[name]:
                raise click.BadParameter(
                    "the model of --from is continued as it is: leave one of the two out",
                    param_hint=f"--{name.replace('_', '-')}",
                )


def train_options(given: Mapping[str, Any]) -> TrainOptions:
    """The options of a run, defaults put in.

    Raises ModelUnavailable for a device that is not there, or cannot do what --amp asks for.
    """
    from sluice.training.base import BaseOptions
    from sluice.training.options import TrainOptions
    from sluice.worker.model.torch_classifier import choose_device

    base, continued, device = given["base"], given["continued"], choose_device(given["device"])
    fresh = not base and not continued
    linear = given["teacher"] if given["teacher"] is not None else fresh
    return TrainOptions(
        base=base,
        continued=continued,
        taken=BaseOptions(given["keep_layers"], given["vocabulary"] if base else None, given["head"]),
        seed=given["seed"],
        fit=_fit_options(given, fresh, linear, device),
        mix=_mix_options(given, base is not None, linear),
        teachers=given["teacher_model"],
        teacher_temperature=given["teacher_temperature"],
        feedback_weight=given["feedback_weight"],
        width=given["width"],
        layers=given["layers"],
        heads=given["width"] // 32,
        vocabulary=given["vocabulary"] or MINI_VOCABULARY,
        templates=given["templates"],
        store=given["store"],
        device=str(device),
        name=given["name"],
        version=given["model_version"],
        author=given["author"],
    )


def _mix_options(given: Mapping[str, Any], base: bool, teacher: bool) -> MixOptions:
    from sluice.training.augment import MixOptions

    chosen = MixOptions(model_share=given["teacher_share"])
    if not teacher:
        chosen = replace(chosen, spliced=0.0, teacher_share=0.0)
    if base:  # it knows languages already: fewer copies with tricks, more of the notices it has never seen
        return replace(chosen, templates=0.5, notices=0.35, obfuscated=0.05, damaged=0.03, spliced=0.0)
    return chosen


def _fit_options(given: Mapping[str, Any], fresh: bool, teacher: bool, device: torch.device) -> FitOptions:
    from sluice.training.amp import resolve
    from sluice.training.fit import FitOptions

    defaults = MINI if fresh else BASE if given["base"] else _continued(Path(given["continued"]))
    chosen = {name: given[name] if given[name] is not None else default for name, default in defaults.items()}
    if chosen["freeze"] == LayerCount.NONE:
        chosen["freeze"] = None
    return FitOptions(
        **chosen,
        weight_decay=0.05 if fresh else 0.01,
        label_smoothing=0.05 if given["base"] else 0.0,
        token_dropout=0.05 if teacher or fresh else 0.0,
        max_length=given["max_length"],
        average=FitOptions.average if teacher or fresh else 0.0,
        patience=given["patience"],
        amp=resolve(given["amp"], device),
    )


def _continued(folder: Path) -> dict[str, Any]:
    """Defaults for going on with `folder`: a share of the rates that its training.json has, or else low ones."""
    from sluice.training.record import read_options

    options = read_options(folder)
    fit = options.get("fit")
    if not isinstance(fit, Mapping) or not set(CONTINUED) <= fit.keys():
        return CONTINUED
    share = 1.0 if options.get("continued") else CONTINUED_SHARE  # a version that was continued had low rates already
    kept = {name: fit[name] for name in CONTINUED if name != "epochs"}
    rates = {name: fit[name] * share for name in ("learning_rate", "head_rate") if fit[name] is not None}
    return {**CONTINUED, **kept, **rates}
