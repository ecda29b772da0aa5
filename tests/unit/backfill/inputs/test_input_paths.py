"""From what the caller names to files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sluice.backfill.inputs.input_paths import find
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import plan


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv", "sub/c.csv", "sub/deep/d.jsonl", ".hidden", ".git/e.csv", "old.csv.sluice/f.csv"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text\na\n")
    return tmp_path / "in"


def found(tmp_path: Path, *inputs: object) -> list[str]:
    return [os.path.relpath(item.name, tmp_path / "in") for item in find(plan(tmp_path, *inputs))]


def test_folders_are_searched_in_order_without_hidden_files_and_run_folders(tmp_path: Path, tree: Path) -> None:
    assert found(tmp_path, tree) == ["a.csv", "b.csv", "sub/c.csv", "sub/deep/d.jsonl"]


def test_patterns_are_expanded(tmp_path: Path, tree: Path) -> None:
    assert found(tmp_path, tree / "*.csv") == ["a.csv", "b.csv"]
    assert found(tmp_path, tree / "**" / "*.csv") == ["a.csv", "b.csv", "sub/c.csv"]
    assert found(tmp_path, tree / "su*") == ["sub/c.csv", "sub/deep/d.jsonl"]
    assert found(tmp_path, tree / "**") == ["a.csv", "b.csv", "sub/c.csv", "sub/deep/d.jsonl"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path, tree: Path) -> None:
    (tree / "[a].csv").write_text("text\n")
    assert found(tmp_path, tree / "[a].csv") == ["[a].csv"]


def test_inputs_keep_their_order(tmp_path: Path, tree: Path) -> None:
    assert found(tmp_path, tree / "b.csv", tree / "sub", tree / "a.csv") == [
        "b.csv",
        "sub/c.csv",
        "sub/deep/d.jsonl",
        "a.csv",
    ]


def test_the_output_in_a_folder_is_no_input(tmp_path: Path, tree: Path) -> None:
    target = tree / "a.csv"
    plans = [plan(tmp_path, tree), plan(tmp_path, tree / "*.csv")]
    for given in plans:
        object.__setattr__(given, "target", target)
        assert "a.csv" not in {Path(item.name).name for item in find(given)}


def test_the_output_named_as_an_input_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("text\n")
    with pytest.raises(UnreadableArchive, match="is the output too"):
        find(plan(tmp_path, tmp_path / "sub" / ".." / "out.csv"))


@pytest.mark.parametrize(
    ("name", "said"),
    [("absent.csv", "No such file"), ("*.nothing", "no file matches"), ("empty", "holds no files")],
)
def test_nothing_there(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableArchive, match=said):
        find(plan(tmp_path, tmp_path / name))


def test_the_same_file_twice_is_refused_whatever_it_is_called(tmp_path: Path, tree: Path) -> None:
    (tmp_path / "link").symlink_to(tree / "a.csv")
    for again in (tree / "a.csv", tree, tree / "*.csv", tmp_path / "link"):
        with pytest.raises(UnreadableArchive, match="given twice"):
            find(plan(tmp_path, tree / "a.csv", again))
    with pytest.raises(UnreadableArchive, match="given twice"):
        find(plan(tmp_path, "-", "-"))


def test_a_file_called_like_standard_input_can_be_named(
    tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    Path("./-").write_text("text\n")
    assert [item.path for item in find(plan(tmp_path, "./-", "-"))] == [Path("-"), None]


def test_no_input_at_all(tmp_path: Path) -> None:
    with pytest.raises(UnreadableArchive, match="no input"):
        find(plan(tmp_path))


def test_a_name_that_is_no_utf_8_is_shown_escaped_and_still_opened(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"gr\xfc\xdfe.csv")
    path.write_text("text\na\n")
    (item,) = find(plan(tmp_path, path))
    assert item.path == path
    assert item.name.endswith(r"gr\xfc\xdfe.csv")


def test_a_name_that_no_file_can_have_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadableArchive, match="cannot be read"):
        find(plan(tmp_path, "a" * 300))
