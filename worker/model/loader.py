"""Chooses and loads the classifier that the settings name."""

from __future__ import annotations

from pathlib import Path

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model import threads
from sluice.worker.model.base import Classifier, ModelSettings
from sluice.worker.model.cascade import load_cascade, read_plan
from sluice.worker.model.simulated import SCHEME, SimulatedClassifier, parse_options

CHECKPOINT_SUFFIXES = (".pth", ".pt")


def load(settings: ModelSettings) -> Classifier:
    """Loads the classifier. A simulated one wins, then `mbert_model_path`, then `model`.

    Raises ModelUnavailable with one sentence that names the setting to change.
    """
    if settings.model.startswith(SCHEME):
        return SimulatedClassifier(parse_options(settings.model), settings.max_text_length)
    threads.wait_asleep()
    checkpoint = find_checkpoint(settings)
    try:
        return _load(checkpoint, settings)
    except ModuleNotFoundError as exc:  # the package is installed as for a client
        raise ModelUnavailable(f"The package {exc.name} is not installed: pip install 'sluice[worker]'") from exc


def _load(checkpoint: Path | None, settings: ModelSettings) -> Classifier:
    if checkpoint is not None:
        from sluice.worker.model.opentextshield import load_opentextshield

        return load_opentextshield(checkpoint, settings)
    from sluice.worker.model.huggingface import load_huggingface

    spec = settings.mbert_model_path or settings.model
    folder = Path(spec).expanduser()
    plan = read_plan(folder)
    if plan is not None:
        return load_cascade(folder, plan, lambda member: load_huggingface(member, settings))
    return load_huggingface(spec, settings)


def find_checkpoint(settings: ModelSettings) -> Path | None:
    """The `.pth` file to load, or None when the settings name a model folder or a hub id.

    Raises ModelUnavailable when `mbert_model_path` names nothing that can be loaded.
    """
    if not settings.mbert_model_path:
        path = Path(settings.model)
        return path if path.suffix in CHECKPOINT_SUFFIXES and path.is_file() else None
    path = Path(settings.mbert_model_path).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        raise ModelUnavailable(
            f"There is no checkpoint at {path}: set SLUICE_MBERT_MODEL_PATH to an existing .pth file, or unset it."
        )
    found = sorted(file for file in path.iterdir() if file.suffix in CHECKPOINT_SUFFIXES)
    if len(found) > 1:
        raise ModelUnavailable(f"{path} holds {len(found)} checkpoints: set SLUICE_MBERT_MODEL_PATH to one of them.")
    if not found and not (path / "config.json").is_file():
        raise ModelUnavailable(
            f"{path} holds no .pth checkpoint and no config.json: set SLUICE_MBERT_MODEL_PATH to a .pth file."
        )
    return found[0] if found else None
