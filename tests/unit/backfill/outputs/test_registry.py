"""Which writer comes with which format, and what all of them have in common."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from sluice.backfill.outputs.registry import format_of, open_writer
from sluice.backfill.outputs.table import FORMATS
from sluice.backfill.table.columns import Column
from sluice.tasks.errors import UnwritableOutput
from tests.unit.backfill.outputs.reading import written

COLUMNS = [Column("id"), Column("value")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("out.csv", "csv"),
        ("OUT.CSV", "csv"),
        ("out.tsv", "tsv"),
        ("out.jsonl", "jsonl"),
        ("out.ndjson", "jsonl"),
        ("out.parquet", "parquet"),
        ("out.sqlite", "sqlite"),
        ("out.sqlite3", "sqlite"),
        ("out.db", "sqlite"),
        ("out.csv.gz", None),
        ("out", None),
        (".csv", None),
    ],
)
def test_the_suffix_tells_the_format(name: str, expected: str | None) -> None:
    assert format_of(Path(name)) == expected


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnwritableOutput, match="'xlsx': choose one of csv, tsv, jsonl, parquet, sqlite"):
        open_writer("xlsx", tmp_path / "out.xlsx", COLUMNS, None)


def test_what_one_format_needs_waits_until_it_is_wanted() -> None:
    loaded = "'pyarrow.parquet' in sys.modules, 'sqlite3' in sys.modules"
    code = f"import sys; import sluice.backfill.outputs.registry; print({loaded})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("output_format", FORMATS)
def test_an_output_without_rows_is_valid(tmp_path: Path, output_format: str) -> None:
    names, rows = written(output_format, tmp_path / "out", COLUMNS, [])
    assert rows == []
    assert names == ([] if output_format == "jsonl" else ["id", "value"])


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_new_writer_takes_the_place_of_what_was_there(tmp_path: Path, output_format: str) -> None:
    path = tmp_path / "out"
    written(output_format, path, COLUMNS, [["1", "old"], ["2", "old"]])
    assert written(output_format, path, COLUMNS, [["3", "new"]])[1] == [["3", "new"]]


ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.binary(), st.datetimes(), st.timedeltas(),
        st.text(alphabet=st.characters(codec=None)), st.decimals(),
    ),
    lambda inner: st.one_of(
        st.lists(inner), st.tuples(inner), st.dictionaries(st.one_of(st.text(), st.integers()), inner)
    ),
    max_leaves=8,
)  # fmt: skip


@given(st.lists(ANYTHING, max_size=20))
@settings(max_examples=40, deadline=None)
def test_no_value_stops_the_run(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    folder = tmp_path_factory.getbasetemp()
    for output_format in ("csv", "jsonl", "parquet", "sqlite"):
        path = folder / f"anything.{output_format}"
        _, rows = written(output_format, path, COLUMNS, [["before", "x"], *(["1", v] for v in values), ["after", "y"]])
        assert [row[0] for row in rows] == ["before", *["1"] * len(values), "after"]
        assert [rows[0][1], rows[-1][1]] == ["x", "y"]


@pytest.mark.parametrize("output_format", ["jsonl", "parquet", "sqlite"])
def test_names_that_differ_in_broken_bytes_only_stay_two_columns(tmp_path: Path, output_format: str) -> None:
    columns = [Column("caf\udce9"), Column("caf\udce8")]
    names, rows = written(output_format, tmp_path / "out", columns, [["a", "b"]])
    assert names == ["caf\ufffd", "caf\ufffd_2"]
    assert rows == [["a", "b"]]
