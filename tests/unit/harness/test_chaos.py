"""What the kill matrix relies on: points that a seed fixes, and a comparison that sees every kind of damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.harness.chaos import EDGE, differences, faults, read_rows, write_archive

ROWS = [
    {"id": "m1", "text": "see you at eight", "label": "ham", "probability": "0.912345", "error": ""},
    {"id": "m2", "text": "you won", "label": "spam", "probability": "0.812345", "error": ""},
    {"id": "m3", "text": "", "label": "", "probability": "", "error": "invalid_input: the text is empty"},
]


def changed(number: int, **values: Any) -> list[dict[str, Any]]:
    return [{**row, **values} if place == number else dict(row) for place, row in enumerate(ROWS)]


def test_the_same_rows_differ_in_nothing() -> None:
    assert differences(ROWS, changed(0)) == []


def test_a_format_with_types_and_nulls_holds_the_same() -> None:
    typed = [
        {**row, "probability": float(row["probability"] or 0) or None, "error": row["error"] or None} for row in ROWS
    ]
    assert differences(ROWS, typed) == []


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (ROWS[:2], "2 rows in place of 3"),
        ([*ROWS, ROWS[2]], "1 rows are there more than once"),
        ([ROWS[1], ROWS[0], ROWS[2]], "another id"),
        (changed(1, label="ham"), "row 2 (m2) has another label"),
        (changed(1, probability="0.812545"), "row 2 (m2) has another probability"),
        (changed(2, error=""), "row 3 (m3) has another error"),
        (changed(2, label="ham", probability="0.5"), "row 3 (m3) has another label, probability"),
        ([{"id": row["id"]} for row in ROWS], "row 1 has other columns"),
    ],
)
def test_each_damage_is_seen(damage: list[dict[str, Any]], sentence: str) -> None:
    found = differences(ROWS, damage)
    assert any(sentence in one for one in found), found
    assert "you won" not in " ".join(found)


def test_no_digit_of_a_probability_may_move() -> None:
    assert differences(ROWS, changed(0, probability="0.912346"))
    assert differences(ROWS, changed(0, probability=float(ROWS[0]["probability"]))) == []


def test_a_seed_fixes_the_points_and_they_are_in_the_middle() -> None:
    kills = {"backfill": 5, "worker": 3, "broker": 2}
    found = faults(7, 1_000, kills)
    assert found == faults(7, 1_000, kills)
    assert found != faults(8, 1_000, kills)
    assert sorted(one.what for one in found) == sorted([*["backfill"] * 5, *["worker"] * 3, *["broker"] * 2])
    assert [one.rows for one in found] == sorted(one.rows for one in found)
    assert all(EDGE[0] * 1_000 <= one.rows <= EDGE[1] * 1_000 for one in found)


def test_an_archive_has_duplicates_and_rows_without_a_good_text(tmp_path: Path) -> None:
    rows = read_rows(write_archive(tmp_path / "in.csv", 1_000))
    texts = [row["text"] for row in rows]
    assert len(rows) == len({row["id"] for row in rows}) == 1_000
    assert 250 < 1_000 - len(set(texts)) < 400
    assert texts.count("") == 5
    assert sum(len(text) > 5_000 for text in texts) == 5
