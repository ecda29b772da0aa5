"""A folder of results: CSV files, plots, and a manifest that says how they came to be."""

from __future__ import annotations

import csv
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.bench.environment import without_own_settings
from sluice.config.describe import shown
from sluice.config.paths import ROOT
from sluice.config.settings import Settings, read

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIBRARIES = (
    "celery", "kombu", "redis", "granian", "flask", "torch", "transformers", "tokenizers", "numpy", "uvloop",
    "celery-batches", "fastapi", "uvicorn", "litserve", "mosec", "onnxruntime",
)  # fmt: skip
#: Settings that say where things are on one machine, and nothing about speed.
PLACES = frozenset({"broker_url", "result_backend", "state_dir", "api_keys", "host", "port", "flower_port"})
ABSOLUTE = re.compile(r"(?<![\w.:/~-])~?/(?:[^\s/\"',]+/)*([^\s/\"',]+)/?")


class Results:
    """What one command measured.

    Args:
        folder: made if it is not there; files of the same name in it are replaced.
        settings: by field name, what the service under test was given beyond the defaults.
        facts: anything else worth a line in the manifest.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None, **facts: Any) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._began = datetime.now(UTC)
        self.files: list[str] = []
        self._manifest: dict[str, Any] = {
            "date": self._began.isoformat(timespec="seconds"),
            "command": without_paths(" ".join(["sluice", *sys.argv[1:]])),
            "commit": commit(),
            "machine": machine(),
            "python": platform.python_version(),
            "libraries": libraries(),
            "settings": in_force(settings or {}),
            **facts,
        }

    @property
    def stamp(self) -> str:
        """The line under every title: date, commit, processor."""
        machine = self._manifest["machine"]
        device = machine["gpu"] or machine["processor"]
        where = f"{device}, {machine['cores']} CPU core{'s' * (machine['cores'] > 1)}"
        return f"{self._began:%Y-%m-%d}, commit {self._manifest['commit']}, {where}"

    def note(self, **facts: Any) -> None:
        """Add to the manifest."""
        self._manifest.update(facts)
        self._write_manifest()

    def table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
        """Write ``name.csv``: a column per key, in order of first appearance; arrays are left out."""
        kept = [{key: _cell(value) for key, value in row.items() if not _bulky(value)} for row in rows]
        columns = list(dict.fromkeys(key for row in kept for key in row))
        path = self.folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)
        self._wrote(path)
        return path

    def figure(self, name: str, figure: Figure) -> Path:
        """Save ``name.png`` and close the figure."""
        from matplotlib import pyplot as plt

        path = self.folder / f"{name}.png"
        figure.savefig(path, dpi=130, metadata={"Software": None})
        plt.close(figure)
        self._wrote(path)
        return path

    def _wrote(self, path: Path) -> None:
        if path.name not in self.files:
            self.files.append(path.name)
        self._write_manifest()

    def _write_manifest(self) -> None:
        seconds = (datetime.now(UTC) - self._began).total_seconds()
        manifest = {**self._manifest, "took_s": round(seconds, 1), "files": self.files}
        text = json.dumps(manifest, indent=2, ensure_ascii=False, default=_plain)
        (self.folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


def print_table(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> None:
    """Print rows for a person; a value with ``NAME_min`` and ``NAME_max`` beside it is shown with its spread."""
    from rich.table import Table

    from sluice.cli.output import screen

    wanted = columns or [key for key in rows[0] if not key.endswith(("_min", "_max")) and not _bulky(rows[0][key])]
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in wanted:
        first = rows[0].get(name)
        table.add_column(name.replace("_", " "), justify="left" if isinstance(first, str) else "right")
    for row in rows:
        table.add_row(*(_shown(row, name) for name in wanted))
    screen().print(table)


def _shown(row: Mapping[str, Any], name: str) -> str:
    text = number(row.get(name))
    if f"{name}_min" in row and row.get("runs", 0) > 1:
        return f"{text} ({number(row[f'{name}_min'])}–{number(row[f'{name}_max'])})"
    return text


def number(value: Any) -> str:
    """A figure as people write it: three or four digits that matter."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | np.integer) or value == int(value):
        return f"{int(value):,}"
    size = abs(value)
    return f"{value:,.0f}" if size >= 1000 else f"{value:.1f}" if size >= 10 else f"{value:.3g}"


def _bulky(value: Any) -> bool:
    return isinstance(value, np.ndarray | list | dict)


def _cell(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float | np.floating) and value < 1e6 else value


def commit() -> str:
    """The short commit of this checkout, with ``+changes`` if files differ from it; ``unknown`` outside of one."""
    head = _output("git", "rev-parse", "--short=10", "HEAD")
    if not head:
        return "unknown"
    return head + ("+changes" if _output("git", "status", "--porcelain", "--untracked-files=no") else "")


def machine() -> dict[str, Any]:
    """What the figures depend on, and nothing that names the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    gpu = _output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader").splitlines()
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "gpu": gpu[0] if gpu else None,
        "gpus": len(gpu),
    }


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()


def libraries() -> dict[str, str]:
    """The versions that are installed, of what can matter here."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def in_force(given: Mapping[str, Any]) -> dict[str, str]:
    """Every setting but those of places, as text, with secrets masked and paths cut to their last part."""
    with without_own_settings():
        settings = read(**given)
    fields = [name for name in Settings.model_fields if name not in PLACES]
    return {name: without_paths(shown(getattr(settings, name))) for name in fields}


def _plain(value: Any) -> str:
    """What JSON has no type for; of a path, what ``without_paths`` leaves."""
    return without_paths(str(value))


def without_paths(text: str) -> str:
    """``text`` with paths inside this checkout made relative and every other absolute path cut to its last part."""
    return ABSOLUTE.sub(r"\1", text.replace(f"{ROOT}/", "").replace(str(ROOT), "."))


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
