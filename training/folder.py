"""The model folder that a run writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from sluice.training.card import write_card, write_json
from sluice.training.data import Example
from sluice.training.head import architecture
from sluice.training.options import TrainOptions
from sluice.training.plots import save_confusion
from sluice.training.scores import Scores
from sluice.training.start import Start
from sluice.worker.model.disguise import KEY, NORMALIZATION
from sluice.worker.model.storage import read, store


def save(start: Start, folder: Path, form: str) -> None:
    """Writes model and tokenizer, and puts what the file holds into the model in memory, so that scores are its own.

    Args:
        form: "fp32", "fp16" or "int8".
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.safetensors"
    whole = {name: value.detach().contiguous() for name, value in start.model.state_dict().items()}
    save_file(whole, str(path), metadata={"format": "pt"})
    path.chmod(0o644)
    if form != "fp32":
        store(folder, 8 if form == "int8" else 16)
    start.model.load_state_dict(read(path) or load_file(path))
    start.model.config.architectures = [architecture(start.model)]
    start.model.config.save_pretrained(str(folder))
    start.save_tokenizer(folder)


def describe(folder: Path, data: Sequence[Example], scores: Scores, options: TrainOptions, start: Start) -> None:
    """Writes sluice.json, metrics.json, the confusion matrix and the card."""
    facts: dict[str, Any] = {
        "name": options.name,
        "version": options.version,
        "architecture": f"{architecture(start.model)}, {size_in_words(start.model.config)}",
        "author": options.author,
        "last_training": dt.datetime.now(dt.UTC).date().isoformat(),
        "parameters": sum(value.numel() for value in start.model.parameters()),
        "messages": len(data),
        "metrics": {"macro_f1": round(scores.macro_f1, 4), "accuracy": round(scores.accuracy, 4)},
    }
    if start.normalized:
        facts[KEY] = NORMALIZATION
    write_json(folder / "sluice.json", facts)
    write_json(folder / "metrics.json", scores.as_dict())
    save_confusion(scores, folder / "confusion.png", f"{options.name} {options.version}")
    write_card(folder, facts, data, scores)


def size_in_words(config: Any) -> str:
    """Depth and width, in words."""
    layers = getattr(config, "num_hidden_layers", None)
    return f"{layers} layers of {getattr(config, 'hidden_size', '?')}" if layers else "unknown shape"
