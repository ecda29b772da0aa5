"""Whatever happens after a commit, the output that goes on from it is that of a run without a stop."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from sluice.backfill.outputs.base import State
from sluice.backfill.outputs.registry import open_writer
from sluice.backfill.outputs.table import FORMATS
from sluice.backfill.table.columns import Column
from tests.unit.backfill.outputs.reading import read_back, written

COLUMNS = [
    Column("text"),
    Column("n", pa.int64()),
    Column("share", pa.float64()),
    Column("flag", pa.bool_()),
    Column("blob", pa.binary()),
    Column("parts", pa.list_(pa.string())),
]
CELLS = st.tuples(
    st.one_of(st.none(), st.text(alphabet=st.characters()), st.integers()),
    st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    st.one_of(st.none(), st.floats(allow_nan=False)),
    st.one_of(st.none(), st.booleans()),
    st.one_of(st.none(), st.binary()),
    st.one_of(st.none(), st.lists(st.text(), max_size=3)),
)
SLICES = st.lists(st.lists(CELLS, max_size=4), min_size=1, max_size=6)
#: What a later run would not write again: answers may differ in their last places, and so in length.
LOST = ["lost" * 1_000, 0, 0.0, False, b"", []]
Slices = Sequence[Sequence[Sequence[Any]]]


class Archive:
    """One output and the lives of its writers; a death is a copy of the folder while the writer still has it open."""

    def __init__(self, folder: Path, output_format: str, slices: Slices) -> None:
        self._folder, self._format, self._slices = folder, output_format, slices
        self._lives = 0
        self._path.parent.mkdir()
        #: What a checkpoint could hold: the state, and the slices that were written by then.
        self.commits: list[tuple[State | None, int]] = [(None, 0)]

    @property
    def _path(self) -> Path:
        return self._folder / str(self._lives) / "partial"

    def live_and_die(self, back: int, commit_after: set[int], until: int, lost: int, *, finishing: bool) -> None:
        """Go on from the commit that is ``back`` before the last, write the slices before ``until``, then die.

        ``lost`` rows more are committed to the file, but no checkpoint came to hear of it.
        """
        del self.commits[len(self.commits) - back :]
        state, done = self.commits[-1]
        writer = open_writer(self._format, self._path, COLUMNS, state)
        for at in range(done, until):
            writer.write(self._slices[at])
            if at in commit_after:
                self.commits.append((writer.commit(), at + 1))
        writer.write([LOST] * lost)
        writer.commit()
        if finishing:
            writer.finish()
        dead = self._path.parent
        self._lives += 1
        shutil.copytree(dead, self._path.parent)
        writer.close()

    def live(self) -> Path:
        """Go on from the last commit to the end."""
        state, done = self.commits[-1]
        writer = open_writer(self._format, self._path, COLUMNS, state)
        for rows in self._slices[done:]:
            writer.write(rows)
        writer.commit()
        writer.finish()
        writer.close()
        return self._path


@pytest.mark.parametrize("output_format", FORMATS)
@given(slices=SLICES, data=st.data())
@settings(max_examples=25, deadline=None)
def test_what_was_interrupted_ends_as_what_was_not(output_format: str, slices: Slices, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clean = written(output_format, folder / "clean", COLUMNS, [row for rows in slices for row in rows])
        archive = Archive(folder, output_format, slices)
        for _ in range(data.draw(st.integers(1, 3), "deaths")):
            archive.live_and_die(
                data.draw(st.integers(0, len(archive.commits) - 1), "commits back"),
                data.draw(st.sets(st.integers(0, len(slices) - 1)), "commits after"),
                data.draw(st.integers(0, len(slices)), "until"),
                data.draw(st.integers(0, 2), "lost"),
                finishing=data.draw(st.booleans(), "finishing"),
            )
        path = archive.live()
        assert read_back(output_format, path) == clean
        if output_format in ("csv", "tsv", "jsonl"):
            assert path.read_bytes() == (folder / "clean").read_bytes()


@pytest.mark.parametrize("output_format", FORMATS)
def test_finish_can_be_repeated_from_the_last_commit(tmp_path: Path, output_format: str) -> None:
    rows = [["a", 1, 0.5, True, b"x", ["y"]]]
    clean = written(output_format, tmp_path / "clean", COLUMNS, rows)
    path = tmp_path / "partial"
    writer = open_writer(output_format, path, COLUMNS, None)
    writer.write(rows)
    state = writer.commit()
    writer.finish()
    writer.close()
    writer = open_writer(output_format, path, COLUMNS, state)
    writer.finish()
    writer.close()
    assert read_back(output_format, path) == clean
