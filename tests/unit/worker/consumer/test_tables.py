"""What RabbitMQ sends is read as py-amqp reads it, field for field."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import amqp
from amqp.serialization import decode_properties_basic, dumps, loads
from hypothesis import given, settings, strategies as st

from sluice.worker.consumer.transport.tables import read_deliver, read_properties

NAMES = st.text(max_size=20)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.binary(max_size=40)  # py-amqp sends bytes as text; not all of them are any
    | st.just(Decimal("12.5"))
    | st.just(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4))
SHORT = st.text(alphabet="abc-/é", max_size=30)


@given(
    headers=st.dictionaries(NAMES, VALUES, max_size=8),
    texts=st.dictionaries(
        st.sampled_from(["content_type", "content_encoding", "correlation_id", "reply_to", "expiration", "type"]), SHORT
    ),
    numbers=st.dictionaries(st.sampled_from(["delivery_mode", "priority"]), st.integers(0, 255)),
    before=st.binary(max_size=10),
)
@settings(max_examples=300, deadline=None)
def test_properties(headers: dict[str, object], texts: dict[str, str], numbers: dict[str, int], before: bytes) -> None:
    raw = before + amqp.Message("", application_headers=headers, **texts, **numbers)._serialize_properties()
    assert read_properties(raw, len(before)) == decode_properties_basic(raw, len(before))[0]


def test_the_headers_of_a_task() -> None:
    headers = {"id": "a", "timelimit": [None, None], "stamps": {}, "retries": 0, "expires": None, "ignore_result": True}
    raw = amqp.Message("", application_headers=headers)._serialize_properties()
    assert read_properties(raw, 0) == {"application_headers": headers}
    first, second = (read_properties(raw, 0)["application_headers"] for _ in range(2))
    assert first["timelimit"] is not second["timelimit"]


@given(tag=st.integers(1, 2**63), redelivered=st.booleans(), names=st.tuples(SHORT, SHORT, SHORT))
@settings(max_examples=100, deadline=None)
def test_delivery(tag: int, redelivered: bool, names: tuple[str, str, str]) -> None:
    consumer, exchange, key = names
    raw = b"head" + dumps("sLbss", (consumer, tag, redelivered, exchange, key))
    values, _ = loads("sLbss", raw, 4)
    fields = ("consumer_tag", "delivery_tag", "redelivered", "exchange", "routing_key")
    assert read_deliver(raw, 4) == dict(zip(fields, values, strict=True))
