"""Every model that is shipped keeps its gate, by the real command, on this project's own pools."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from sluice.cli.processes import environment, sluice

ROOT = Path(__file__).resolve().parents[4]
MODELS = sorted(path.parent for path in (ROOT / "models").glob("*/config.json"))
POOLS = sorted((ROOT / "tests" / "fixtures" / "pools").glob("*.csv"))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_model_keeps_its_gate(folder: Path) -> None:
    pools = tomllib.loads((folder / "gates.toml").read_text(encoding="utf-8"))["pools"]
    assert set(pools) == {path.stem for path in POOLS}
    command = sluice("evaluate", str(folder), *map(str, POOLS), "--gate", str(folder / "gates.toml"), "--threads", "1")
    env = environment(COLUMNS="120", OMP_NUM_THREADS="1")
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert "limits are kept" in done.stdout
