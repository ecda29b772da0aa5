"""What each setting is, and where its value came from: the table behind ``sluice config``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr

from sluice.config.masking import MASK, masked_url
from sluice.config.settings import FLOWER_NAMES, OTS_NAMES, OTS_PREFIX, PREFIX, Settings


@dataclass(frozen=True)
class Row:
    """One line of ``sluice config``."""

    name: str
    value: str
    source: str
    meaning: str


def rows(settings: Settings, env_file: Path = Path(".env")) -> list[Row]:
    """Every setting with its value (secrets masked), its source and its meaning, in the order of definition."""
    in_file = {key.upper() for key, value in dotenv_values(env_file).items() if value} if env_file.is_file() else set()
    table = []
    for field, info in Settings.model_fields.items():
        name = field.upper()
        table.append(
            Row(
                name=PREFIX + name,
                value=shown(getattr(settings, field)),
                source=_source(name, in_file),
                meaning=info.description or "",
            )
        )
    return table


def shown(value: object) -> str:
    """A value as text fit for a screen: passwords in URLs and API keys are masked."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(MASK if isinstance(one, SecretStr) else str(one) for one in value)
    if isinstance(value, SecretStr):
        return masked_url(value.get_secret_value())
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _source(name: str, in_file: set[str]) -> str:
    keys = [PREFIX + name] + ([OTS_PREFIX + name] if name in OTS_NAMES else [])
    if name in FLOWER_NAMES:
        keys.append(name)
    # pydantic-settings reads the whole environment before the file, and the first alias before the second.
    in_environment = {key.upper() for key, value in os.environ.items() if value}
    for place, names in (("environment", in_environment), (".env", in_file)):
        for key in keys:
            if key in names:
                return place if key.startswith(PREFIX) else f"{place} ({key})"
    return "default"
