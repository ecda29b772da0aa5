"""Reading CSV files, and saying what is wrong with them and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.training.data import Columns, DataError, Example, label_order, read_examples

LABELS = ("ham", "spam")


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_rows_become_examples(tmp_path: Path) -> None:
    path = write(tmp_path, '\ufefftext,label,language\n"two\nlines, ""quoted""",SPAM ,en\nhi,ham,\n')
    assert read_examples(path, LABELS) == [
        Example('two\nlines, "quoted"', "spam", "en"),
        Example("hi", "ham"),
    ]


def test_columns_can_have_other_names(tmp_path: Path) -> None:
    path = write(tmp_path, "class,body,extra\nham,hi,1\n")
    assert read_examples(path, LABELS, Columns("body", "class"))[0] == Example("hi", "ham")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,kind\nhi,ham\n", ["no column 'label'", "text, kind"]),
        ("", ["no column 'text'", "none"]),
        ("text,label\n", ["no rows"]),
        ("text,label\nhi,ham\nyo,eggs\n", ["row 2", "line 3", "unknown label 'eggs'", "ham, spam"]),
        ("text,label\n  ,ham\n", ["row 1", "'text' is empty"]),
        ("text,label\nhi\n", ["row 1", "'label' is empty"]),
        (b"text,label\nhi,ham\ncaf\xe9,ham\n", ["line 3", "not UTF-8"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: str | bytes, words: list[str]) -> None:
    path = write(tmp_path, content)
    with pytest.raises(DataError) as error:
        read_examples(path, LABELS)
    assert all(word in str(error.value) for word in [*words, str(path)])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_examples(tmp_path / "absent.csv")


def test_labels_come_in_a_fixed_order() -> None:
    assert label_order([Example("a", name) for name in ("phishing", "x", "ham", "b")]) == ("ham", "phishing", "b", "x")
