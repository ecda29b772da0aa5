"""The envelope: what is read from any client's arguments, and what may be shown of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from sluice.config.settings import read
from sluice.tasks.app import make_celery
from sluice.tasks.envelope import TASK_NAME, describe, parse
from sluice.tasks.errors import InvalidInput, SluiceError, from_code
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(anything, anything)
@settings(max_examples=300, deadline=None)
def test_no_argument_breaks_the_parser(args: Any, kwargs: Any) -> None:
    try:
        call = parse(args, kwargs, 100)
    except InvalidInput:
        return
    assert call.messages
    assert not call.single or len(call.messages) == 1
    assert all(message.error or message.text.strip() for message in call.messages)


def test_one_text_or_object_is_single_and_a_list_is_not() -> None:
    assert parse(["hi"], {}, 100).single is True
    assert parse([{"id": "a", "text": "hi"}], {}, 100).single is True
    assert parse([["hi"]], {}, 100).single is False
    assert parse([], {"messages": ["hi", "ho"]}, 100).messages[1].text == "ho"


def test_scores_are_given_to_those_who_ask() -> None:
    assert parse([["hi"]], {}, 100).options == LABEL_ONLY
    assert parse([["hi"]], {"scores": False, "verdict": False}, 100).options == LABEL_ONLY
    assert parse([["hi"]], {"scores": True}, 100).options == PredictionOptions(scores=True)
    assert parse([], {"messages": "hi", "scores": True, "verdict": True}, 100).options == PredictionOptions(
        scores=True, verdict=True
    )


@pytest.mark.parametrize("value", [1, "true", None, [True]])
def test_scores_that_are_neither_true_nor_false_are_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="scores must be true or false") as raised:
        parse([["hi"]], {"scores": value}, 100)
    assert raised.value.details == {"field": "scores"}


@pytest.mark.parametrize(
    ("item", "field", "limit"),
    [
        ("", "messages[0]", 1),
        ("  \n", "messages[0]", 1),
        ("x" * 101, "messages[0]", 100),
        ({"id": "a" * 201, "text": "x"}, "messages[0].id", 200),
        ({"id": "\ud800", "text": "x"}, "messages[0].id", 200),
        ({"id": 7, "text": "x"}, "messages[0].id", 200),
        ({"id": "a", "text": 7}, "messages[0].text", None),
    ],
)
def test_what_is_wrong_with_an_item_is_named(item: Any, field: str, limit: int | None) -> None:
    error = parse([[item]], {}, 100).messages[0].error
    assert error is not None
    assert error.details["field"] == field
    assert error.details.get("limit") == limit


def test_no_text_is_ever_described() -> None:
    assert describe([["secret"] * 37]) == "classify(37 messages)"
    assert describe(["secret"]) == "classify(1 message)"
    assert describe([], {"messages": ["secret", "secret"]}) == "classify(2 messages)"


@pytest.mark.parametrize("protocol", [1, 2])
def test_the_message_headers_hold_no_text(protocol: int) -> None:
    app = make_celery(read(broker_url="redis://127.0.0.1:1/0"))
    app.conf.task_protocol = protocol
    message = app.amqp.create_task_message("id", TASK_NAME, (["secret"],), {})
    assert "secret" not in repr(message.headers)
    assert "secret" not in repr(message.properties)


def test_stored_errors_come_back_as_their_class() -> None:
    assert isinstance(from_code("model_failed", "m"), SluiceError)
    assert from_code("unheard_of", "m").status == 500
