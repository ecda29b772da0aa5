"""The one table of formats: what is said elsewhere follows it, and each input is examined once."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from sluice.backfill.formats import sample
from sluice.backfill.formats.encoding import Encoding, encoding_of
from sluice.backfill.formats.table import FORMATS, NAMES
from sluice.cli.backfill.command import HELP, backfill
from tests.unit.backfill.inputs.reading import FIXTURES, texts

MANUAL = Path(__file__).resolve().parents[4] / "docs" / "backfill.md"
ROW = re.compile(r"^\| (?P<title>[^|]+?) \| `(?P<name>[a-z][a-z-]+)` \|", re.MULTILINE)


def test_the_manual_has_a_row_for_each_format() -> None:
    chapter = MANUAL.read_text().partition("## What is read")[2].partition("\n## ")[0]
    assert [(row["title"], row["name"]) for row in ROW.finditer(chapter)] == [(one.title, one.name) for one in FORMATS]


def test_the_command_takes_each_format_and_tells_of_it() -> None:
    (option,) = (one for one in backfill.params if one.name == "format")
    assert tuple(option.type.choices) == NAMES  # type: ignore[attr-defined]
    assert all(one.title.replace("`", "") in HELP for one in FORMATS)


@pytest.mark.parametrize("name", [one.module for one in FORMATS])
def test_each_module_has_what_a_format_needs(name: str) -> None:
    module = import_module(f"sluice.backfill.formats.{name}")
    assert callable(module.probe)
    assert callable(module.open_reader)


@pytest.mark.parametrize(
    ("name", "options"),
    [("semicolons_cp1252.csv", {"text_column": "Nachricht"}), ("tabs_utf16.tsv", {}), ("messages.jsonl", {})],
)
def test_the_encoding_of_an_input_is_found_once(
    tmp_path: Path, name: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counted(data: bytes, wanted: str | None = None) -> Encoding:
        asked.append(len(data))
        return encoding_of(data, wanted)

    monkeypatch.setattr(sample, "encoding_of", counted)
    found: list[Any] = texts(tmp_path, FIXTURES / name, **options)
    assert found
    assert len(asked) == 1
