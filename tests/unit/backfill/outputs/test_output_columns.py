"""The columns that a backfill adds, and what an answer puts into them."""

from __future__ import annotations

import pyarrow as pa

from sluice.backfill.outputs.output_columns import output_columns
from sluice.backfill.table.columns import Column
from sluice.tasks.wire.entry import Prediction, failure, prediction

SPAM = prediction(None, "spam", 0.98765432, "sms-mini", "1")
SCORES = {"ham": 0.01234567, "spam": 0.98765432}
BAD = failure(None, "invalid_input", "the text is empty or blank")


def names(*columns: str) -> list[Column]:
    return [Column(name) for name in columns]


def test_what_is_added_and_in_which_order() -> None:
    more = output_columns(names("id", "text"), None)
    assert [column.name for column in more.columns] == ["label", "probability", "model", "version", "error"]
    assert [column.type for column in more.columns] == [
        pa.string(),
        pa.float64(),
        pa.string(),
        pa.string(),
        pa.string(),
    ]
    assert more.cells(SPAM) == ["spam", 0.987654, "sms-mini", "1", None]
    assert more.cells(BAD) == [None, None, None, None, "invalid_input: the text is empty or blank"]


def test_one_score_per_label_on_request() -> None:
    more = output_columns(names("text"), ["ham", "spam"])
    header = ["label", "probability", "score_ham", "score_spam", "model", "version", "error"]
    assert [column.name for column in more.columns] == header
    assert [column.type for column in more.columns if column.name.startswith("score_")] == [pa.float64()] * 2
    assert more.cells({**SPAM, "scores": SCORES}) == ["spam", 0.987654, 0.012346, 0.987654, "sms-mini", "1", None]
    assert more.cells(BAD) == [None] * 6 + ["invalid_input: the text is empty or blank"]


def test_an_answer_without_a_score_leaves_its_cell_empty() -> None:
    more = output_columns(names("text"), ["ham", "spam"])
    assert more.cells(SPAM)[2:4] == [None, None]
    assert more.cells({**SPAM, "scores": {"spam": 1.0, "other": 0.0}})[2:4] == [None, 1.0]


def test_scores_are_not_added_unless_asked_for() -> None:
    assert output_columns(names("text"), None).cells({**SPAM, "scores": SCORES}) == [
        "spam",
        0.987654,
        "sms-mini",
        "1",
        None,
    ]


def test_names_that_are_taken_get_a_prefix_whatever_their_case() -> None:
    more = output_columns(names("text", "Label", "error", "sluice_ERROR", "score_ham"), ["ham", "HAM"])
    assert [column.name for column in more.columns] == [
        "sluice_label",
        "probability",
        "sluice_score_ham",
        "sluice_sluice_score_HAM",
        "model",
        "version",
        "sluice_sluice_error",
    ]
    assert more.label == "sluice_label"
    assert more.error == "sluice_sluice_error"
    assert more.scores == {"ham": "sluice_score_ham", "HAM": "sluice_sluice_score_HAM"}


def test_the_names_are_those_of_the_columns() -> None:
    more = output_columns(names("text", "model"), ["ham"])
    said = [more.label, more.probability, more.scores["ham"], more.model, more.version, more.error]
    assert said == [column.name for column in more.columns]


def test_the_verdict_and_its_rule_stand_before_the_model() -> None:
    more = output_columns(names("text", "Verdict"), ["ham", "spam"], verdict=True)
    assert [column.name for column in more.columns] == [
        *("label", "probability", "score_ham", "score_spam", "sluice_verdict", "rule", "model", "version", "error")
    ]
    judged: Prediction = {**SPAM, "verdict": "block", "rule": "spam >= 0.9"}
    plain = output_columns(names("text"), None, verdict=True)
    assert plain.cells(judged) == ["spam", 0.987654, "block", "spam >= 0.9", "sms-mini", "1", None]
    assert plain.cells(SPAM)[2:4] == [None, None]
    wrong = plain.cells(failure(None, "model_failed", "no"))
    assert wrong == [None] * 6 + ["model_failed: no"]
    assert len(wrong) == len(plain.columns)
