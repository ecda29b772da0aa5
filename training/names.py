"""The name and version by which callers know a model: they stand in answers, URLs, file names and metrics."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from sluice.config.settings import MODELS

VALID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
SHAPE = "1 to 64 letters, digits, dots, dashes, underscores and pluses (A-Z, a-z, 0-9), the first a letter or a digit"


def model_name(given: str | None, folder: Path) -> str:
    """``given``, or else the folder's own name, as far as URLs can hold it.

    Raises:
        ValueError: it cannot be a name, or it is that of a shipped model.
    """
    name = _of_folder(folder) if given is None else given
    if not name:
        raise ValueError(f"the folder's name, {folder.resolve().name!r}, makes no name for a model: give one")
    if checked(name).lower() in {shipped.name for shipped in MODELS.iterdir()}:
        raise ValueError(f"{name!r} is Sluice's own model; give another, by which answers can be told apart")
    return name


def checked(word: str) -> str:
    """``word``, a name or a version.

    Raises:
        ValueError: it is none.
    """
    if not VALID.fullmatch(word):
        raise ValueError(f"{word!r} is not {SHAPE}")
    return word


def _of_folder(folder: Path) -> str:
    plain = unicodedata.normalize("NFKD", folder.resolve().name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", plain).strip("-._+")[:64]
