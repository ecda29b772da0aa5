"""`sluice.json`: the facts that a model folder states about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.base import ModelInfo
from sluice.worker.model.thresholds import is_number, read_thresholds, wrong

CARD_FILE = "sluice.json"
UNKNOWN = "unknown"


LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.01, 100.0
"""What a fit that is any good stays far within; beyond them every answer is either certain or a toss-up."""


def read_card(folder: Path) -> dict[str, object]:
    """The folder's `sluice.json`, or an empty dict when there is none.

    Raises ModelUnavailable when it cannot be read: what it says decides what is blocked.
    """
    path = folder / CARD_FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ModelUnavailable(f"{path} cannot be read ({error.strerror}): correct that, or remove it.") from error
    except ValueError as error:
        raise ModelUnavailable(f"{path} is not JSON in UTF-8 ({error}): correct it, or remove it.") from error
    if not isinstance(facts, dict):
        raise ModelUnavailable(f"{path} holds no JSON object: correct it, or remove it.")
    return facts


def model_info(spec: str, folder: Path | None, config: Mapping[str, object], labels: Sequence[str]) -> ModelInfo:
    """The card's facts; where it is silent, the name of the folder or hub id and the model's config.

    Raises ModelUnavailable when the card cannot be read, or says what cannot be.
    """
    architectures = config.get("architectures")
    named = architectures[0] if isinstance(architectures, list) and architectures else config.get("model_type")
    author = UNKNOWN if folder is not None or "/" not in spec else spec.split("/")[0]
    fallback = {
        "name": folder.resolve().name if folder is not None else spec,
        "version": str(config.get("version") or UNKNOWN),
        "architecture": str(named or UNKNOWN),
        "author": author,
        "last_training": UNKNOWN,
    }
    return stated_info(folder, fallback, labels)


def stated_info(folder: Path | None, fallback: Mapping[str, str], labels: Sequence[str]) -> ModelInfo:
    """What the card of a folder says of a model with these labels, and `fallback` where it is silent.

    Raises ModelUnavailable when the card cannot be read, or says what cannot be.
    """
    facts = read_card(folder) if folder is not None else {}
    card = str(folder / CARD_FILE) if folder is not None else CARD_FILE
    return ModelInfo(
        **{name: str(facts.get(name) or default) for name, default in fallback.items()},
        temperature=_temperature(facts.get("temperature"), card),
        thresholds=read_thresholds(facts.get("thresholds"), labels, card),
    )


def _temperature(stated: object, card: str) -> float:
    if stated is None:
        return 1.0
    if not is_number(stated) or not LEAST_TEMPERATURE <= stated <= MOST_TEMPERATURE:
        takes = f"a number from {LEAST_TEMPERATURE:g} to {MOST_TEMPERATURE:g}"
        raise wrong(card, "temperature", takes, stated)
    return float(stated)
