"""training.json: what a run was made of, to the bit, so that it can be made again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

FILE = "training.json"
PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "scikit-learn", "safetensors")
SHIPPED = ("phrases/*", "notices/*")
"""Texts of the package that training learns from, beside the data."""


@dataclass
class Record:
    """What decides the weights, and what came out after each epoch."""

    options: Mapping[str, Any]
    files: Mapping[str, str]
    """SHA-256 of each file by its role and name."""
    command: str = ""
    threads: int = 1
    epochs: list[dict[str, Any]] = field(default_factory=list)
    """Loss and scores after each."""
    corrections: dict[str, int] = field(default_factory=dict)
    """How many were learned from, and how many of them the model gets right."""

    def decisive(self) -> dict[str, Any]:
        """What the weights depend on."""
        return {"options": self.options, "files": self.files, "environment": environment(self.threads)}

    def facts(self) -> dict[str, Any]:
        """All of it, for the file."""
        found = {"command": self.command, **self.decisive(), "epochs": self.epochs}
        return {**found, "corrections": self.corrections} if self.corrections else found


def read_options(folder: Path) -> Mapping[str, Any]:
    """The options in a model folder's record; empty where there is none."""
    try:
        facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    options = facts.get("options") if isinstance(facts, dict) else None
    return options if isinstance(options, dict) else {}


def environment(threads: int) -> dict[str, Any]:
    """Versions and the kind of processor, on which the last bits depend."""
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": threads,
    }


def sha256(path: Path) -> str:
    """The digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_files(role: str, folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a model folder, by `role` and the file's name."""
    return {f"{role}/{path.name}": sha256(path) for path in sorted(folder.iterdir()) if path.is_file()}


def shipped_texts() -> dict[str, str]:
    """One SHA-256 over all texts of the package that templates and notices are made from."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(_matching(here, SHIPPED)):
        digest.update(f"{path.name} {sha256(path)}\n".encode())
    return {"shipped templates": digest.hexdigest()}


def _matching(folder: Path, patterns: Iterable[str]) -> Iterable[Path]:
    return (path for pattern in patterns for path in folder.glob(pattern))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
