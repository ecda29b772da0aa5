"""How the model will be called, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click


def chosen_names(folder: Path, given: Mapping[str, Any]) -> dict[str, str]:
    """Name and version as they will stand in the folder.

    Raises:
        click.BadParameter: one of them, the author or the folder cannot be.
    """
    from sluice.config.settings import MODELS
    from sluice.training.names import checked, model_name

    if folder.resolve().parent == MODELS.resolve():
        raise click.BadParameter("Sluice's own models are there: give another folder", param_hint="--output")
    names = {}
    for option, call in (
        ("name", lambda: model_name(given["name"], folder)),
        ("model_version", lambda: checked(given["model_version"])),
    ):
        try:
            names[option] = call()
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint=f"--{option.replace('_', '-')}") from None
    if not given["author"].isprintable():
        raise click.BadParameter("it must be one line of text", param_hint="--author")
    return names
