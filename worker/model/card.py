"""`sluice.json`: the facts that a model folder states about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sluice.worker.model.base import ModelInfo

CARD_FILE = "sluice.json"
UNKNOWN = "unknown"


def read_card(folder: Path) -> dict[str, Any]:
    """The folder's `sluice.json`, or an empty dict when it is absent or unreadable."""
    try:
        facts = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def model_info(spec: str, folder: Path | None, config: Mapping[str, Any]) -> ModelInfo:
    """The card's facts; where it is silent, the name of the folder or hub id and the model's config."""
    facts = read_card(folder) if folder is not None else {}
    architectures = config.get("architectures") or [config.get("model_type") or UNKNOWN]
    author = UNKNOWN if folder is not None or "/" not in spec else spec.split("/")[0]
    fallback = {
        "name": folder.resolve().name if folder is not None else spec,
        "version": str(config.get("version") or UNKNOWN),
        "architecture": str(architectures[0]),
        "author": author,
        "last_training": UNKNOWN,
    }
    return ModelInfo(**{name: str(facts.get(name) or default) for name, default in fallback.items()})
