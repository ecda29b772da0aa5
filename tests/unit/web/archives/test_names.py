"""Names of files."""

from __future__ import annotations

import pytest

from sluice.web.archives.names import result_name, shown_name


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("sms.csv", "sms.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\sms.csv", "sms.csv"),
        ("a\r\nSet-Cookie: x=1.csv", "a Set-Cookie: x=1.csv"),
        ("\u202efdp.exe", "fdp.exe"),
        ("архив.csv", "архив.csv"),
        ("", "archive"),
        ("..", ".."),
        (None, "archive"),
        ("x" * 300, "x" * 100),
    ],
)
def test_names_are_fit_for_a_screen(given: str | None, shown: str) -> None:
    assert shown_name(given) == shown


@pytest.mark.parametrize(
    ("names", "output", "expected"),
    [
        (["sms.csv"], "csv", "sms.classified.csv"),
        (["sms.2026.11.csv.gz"], "parquet", "sms.2026.11.classified.parquet"),
        (["a.csv", "b.csv"], "sqlite", "archive.classified.sqlite"),
        ([".csv"], "csv", "archive.classified.csv"),
        ([".."], "jsonl", "archive.classified.jsonl"),
    ],
)
def test_a_result_is_named_after_its_file(names: list[str], output: str, expected: str) -> None:
    assert result_name(names, output) == expected
