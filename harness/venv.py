"""Virtual environments of a test's own, into which the package is installed as a stranger would."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from sluice.harness.process import ROOT
from sluice.harness.servers import Missing

#: What the package is made of; everything else in a checkout is not to be seen by its build.
PARTS = (
    *(
        "backfill",
        "bench",
        "cli",
        "config",
        "docs",
        "harness",
        "models",
        "samples",
        "sluice",
        "tasks",
        "training",
        "web",
        "worker",
    ),
    *("CHANGELOG.md", "LICENSE", "MANIFEST.in", "README.md", "constraints.txt", "pyproject.toml", "setup.py"),
)
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")
#: What pip says where it reaches no package index.
UNREACHABLE = ("No matching distribution found", "Could not find a version")


class Venv:
    """A virtual environment with nothing in it but what ``install`` puts there.

    Args:
        folder: where it is made.
        lent: also finds the packages of the environment that runs the tests, but not its Sluice; they are too large
            to be installed for every run.
    """

    def __init__(self, folder: Path, *, lent: bool = False) -> None:
        self._folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
        if lent:
            # Its own .pth files, through which an editable Sluice would be found, are not read from there.
            (self.packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")

    @property
    def packages(self) -> Path:
        return next(self._folder.glob("lib/python*/site-packages"))

    def script(self, name: str) -> str:
        """A command of the environment."""
        return str(self._folder / "bin" / name)

    def install(self, *arguments: str) -> None:
        """``pip install``.

        Raises:
            Missing: no package index is reachable.
        """
        pip("--python", self.script("python"), "install", *arguments)


def pip(*arguments: str) -> None:
    """Run the pip of this environment.

    Raises:
        Missing: no package index is reachable.
    """
    run = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(run, capture_output=True, text=True, timeout=110, check=False)
    if done.returncode and any(words in done.stderr for words in UNREACHABLE):
        raise Missing(f"pip reaches no package index: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr[-3000:]


def copy_sources(target: Path) -> Path:
    """A copy of what the package is made of; building in the checkout itself would leave files there."""
    target.mkdir()
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, symlinks=True, ignore=LEFT_OUT)
        else:
            shutil.copy2(ROOT / name, target / name)
    return target


def build(kind: str, sources: Path, out: Path) -> Path:
    """The ``wheel`` or ``sdist`` of ``sources``, by the build backend itself."""
    code = f"import sys; from setuptools import build_meta; print(build_meta.build_{kind}(sys.argv[1]))"
    command: Sequence[str] = [sys.executable, "-c", code, str(out)]
    done = subprocess.run(command, cwd=sources, capture_output=True, text=True, timeout=60, check=True)
    return out / done.stdout.strip().splitlines()[-1]
