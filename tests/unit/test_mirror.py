"""``tests/unit`` mirrors the code: whoever changes a folder finds its tests in the folder of the same name."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests" / "unit"


def test_every_folder_of_tests_is_one_of_the_code() -> None:
    folders = {path.parent.relative_to(UNIT) for path in UNIT.rglob("test_*.py")}
    strange = sorted(str(one) for one in folders if not (ROOT / one).is_dir())
    assert not strange, f"tests/unit has folders that the code has not: {', '.join(strange)}"
