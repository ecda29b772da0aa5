"""The outcome of a message: what its constructors make and its readers say."""

from __future__ import annotations

import pytest

from sluice.tasks.wire.entry import failure, fault_of, id_of, is_prediction, kind_of, named, prediction, prediction_of


def test_a_prediction_has_an_id_only_if_its_message_has() -> None:
    assert prediction(None, "spam", 0.75, "m", "1") == {
        "label": "spam",
        "probability": 0.75,
        "model": "m",
        "version": "1",
    }
    assert list(prediction("a", "spam", 0.75, "m", "1")) == ["id", "label", "probability", "model", "version"]


def test_a_failure_has_code_and_sentence() -> None:
    assert failure(None, "model_failed", "no") == {"error": {"code": "model_failed", "message": "no"}}
    assert failure("a", "model_failed", "no") == {"id": "a", "error": {"code": "model_failed", "message": "no"}}


def test_readers_tell_one_from_the_other() -> None:
    good, bad = prediction("a", "spam", 0.75, "m", "1"), failure("b", "model_failed", "no")
    assert (is_prediction(good), is_prediction(bad)) == (True, False)
    assert prediction_of(good) == good
    with pytest.raises(ValueError):
        prediction_of(bad)
    assert fault_of(bad) == {"code": "model_failed", "message": "no"}
    with pytest.raises(ValueError):
        fault_of(good)
    assert (kind_of(good), kind_of(bad)) == ("spam", "error")


def test_an_id_stands_first_where_there_was_none() -> None:
    entry = failure(None, "model_failed", "no")
    assert id_of(entry) is None
    assert list(named(entry, "a")) == ["id", "error"]
    assert named(failure("b", "model_failed", "no"), "a") == failure("a", "model_failed", "no")
    assert id_of(entry) is None, "the entry itself is left as it is"
