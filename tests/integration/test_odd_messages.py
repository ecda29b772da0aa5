"""Any headers, properties, types and bodies on a broker message: the worker lives, and the next message is answered.

``EXAMPLES=2000 pytest tests/integration/test_odd_messages.py`` looks further than the usual run.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import amqp
import pytest
import redis
from celery import Celery
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from kombu.compression import compress

from sluice.harness.process import wait_for
from sluice.harness.worker import Worker, client_app, serving
from sluice.tasks.envelope import QUEUES, TASK_NAME
from sluice.tasks.errors import InvalidInput
from tests.conftest import Brokers

EXAMPLES = int(os.environ.get("EXAMPLES", "60"))
#: The usual answer takes some milliseconds; the machine may be busy with other tests.
ANSWERED_S = 15.0
QUEUE = QUEUES["interactive"]

HEADERS: tuple[str, ...] = (
    "task",
    "id",
    "root_id",
    "parent_id",
    "group",
    "group_index",
    "shadow",
    "eta",
    "expires",
    "retries",
)
HEADERS += (
    "timelimit",
    "argsrepr",
    "kwargsrepr",
    "origin",
    "ignore_result",
    "stamped_headers",
    "stamps",
    "compression",
)
HEADERS += ("sluice_reply", "sluice_more", "replaced_task_nesting", "lang", "update", "get", "")
EMBED = ("callbacks", "errbacks", "chain", "chord", "else")
PROPERTIES: tuple[str, ...] = (
    "delivery_tag",
    "delivery_info",
    "body_encoding",
    "priority",
    "correlation_id",
    "reply_to",
    "delivery_mode",
)
TEMPTING: tuple[str, ...] = (
    "",
    "0",
    TASK_NAME,
    "no.such",
    "zlib",
    "zstd",
    "gzip",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00",
)
TEMPTING += (
    "2020-01-01",
    "application/json",
    "binary",
    "base64",
    "utf-8",
    "x" * 70_000,
    "a\nb",
    "\x00",
    QUEUE,
    "é" * 200,
)

plain = st.none() | st.booleans() | st.integers() | st.integers(-9, 9) | st.floats() | st.text(max_size=20)
scalars = plain | st.sampled_from(TEMPTING)


def values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.text(max_size=10) | st.sampled_from(("task", "args", "kwargs", "options", "__type__", "__value__"))
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))


def signatures(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What may hang on a call: nearly a signature."""
    fields = {
        "task": st.sampled_from(("mine.store", TASK_NAME, "celery.group", "celery.chord", "celery.chain")) | value
    }
    names = (
        "queue",
        "exchange",
        "routing_key",
        "task_id",
        "compression",
        "serializer",
        "priority",
        "countdown",
        "chord",
    )
    options = st.dictionaries(st.sampled_from((*names, "link_error", "expires", "headers")), value, max_size=3)
    optional = {"options": options | value, "args": value, "kwargs": value, "subtask_type": value}
    return st.fixed_dictionaries(fields, optional=optional)


def bodies(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    hung_on = signatures(value) | st.lists(signatures(value) | value, max_size=3) | value
    embed = st.dictionaries(st.sampled_from(EMBED), hung_on, max_size=3) | value
    args = st.just(["a text"]) | value
    call = st.tuples(args, st.just({}) | value, embed).map(list)
    older = st.fixed_dictionaries({"task": st.just(TASK_NAME) | value}, optional={"id": value, "args": value})
    return call | older | value


json_values = values(scalars)
amqp_values = values(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)  # RabbitMQ closes the connection over those
    | st.text(max_size=20).filter(lambda text: text.isascii())
    | st.sampled_from(TEMPTING)
    | st.binary(max_size=20)
    | st.just(datetime(2020, 1, 1, tzinfo=UTC))
    | st.decimals(min_value=-1000, max_value=1000, places=2).map(Decimal)
)


def messages(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Headers that are set beside the usual ones, a body, its types, and properties."""
    return st.fixed_dictionaries(
        {
            "headers": st.dictionaries(st.sampled_from(HEADERS), value, max_size=4),
            "without": st.sets(st.sampled_from(("task", "id", "lang")), max_size=1),
            "body": bodies(json_values).map(_encoded) | st.binary(max_size=30),
            "type": st.just("application/json") | st.sampled_from(TEMPTING),
            "encoding": st.just("utf-8") | st.sampled_from(TEMPTING),
            "properties": st.dictionaries(st.sampled_from(PROPERTIES), json_values, max_size=2),
            "outer": st.dictionaries(
                st.sampled_from(("headers", "properties", "body", "content-type")), value, max_size=1
            ),
        }
    )


def _encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


@pytest.fixture(scope="module")
def worker(brokers: Brokers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """With Celery's own options: mingle, gossip, events."""
    with serving(tmp_path_factory.mktemp("odd"), brokers.env(), "-E") as process:
        yield process


@pytest.fixture(scope="module")
def app(brokers: Brokers) -> Celery:
    return client_app(brokers.env())


@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
def test_no_message_stops_the_service(brokers: Brokers, worker: Worker, app: Celery, data: st.DataObject) -> None:
    if brokers.kind == "redis":
        message = data.draw(messages(json_values))
        send_redis(brokers.broker.url, message)
    else:
        message = data.draw(messages(amqp_values))
        send_amqp(brokers.broker.url, message)
    assert worker.returncode is None, f"{message!r}\n{worker.output()[-3000:]}"
    answered_s = answer_time(app, worker, message)
    assert answered_s < ANSWERED_S
    assert "Traceback" not in worker.output(), f"{message!r}\n{worker.output()[-3000:]}"


def usual_headers(message: dict[str, Any]) -> dict[str, Any]:
    headers = {"lang": "py", "task": TASK_NAME, "id": str(uuid4()), **message["headers"]}
    return {name: value for name, value in headers.items() if name not in message["without"]}


def send_redis(url: str, message: dict[str, Any]) -> None:
    """As kombu writes it, but for what is odd."""
    tag = str(uuid4())
    info = {"exchange": "sluice", "routing_key": QUEUE}
    properties = {"delivery_tag": tag, "delivery_info": info, "body_encoding": "base64", "delivery_mode": 2}
    payload = {
        "body": base64.b64encode(message["body"]).decode(),
        "content-type": message["type"],
        "content-encoding": message["encoding"],
        "headers": usual_headers(message),
        "properties": properties | message["properties"],
        **message["outer"],
    }
    client = redis.Redis.from_url(url)
    client.lpush(QUEUE, json.dumps(payload))
    client.close()


def send_amqp(url: str, message: dict[str, Any]) -> None:
    """Whatever py-amqp can write; what it cannot is no message."""
    given = {name: message["properties"].get(name) for name in ("priority", "correlation_id", "reply_to")}
    odd = amqp.Message(
        message["body"],
        content_type=message["type"],
        content_encoding=message["encoding"],
        application_headers=usual_headers(message),
        **{name: value for name, value in given.items() if value is not None},
    )
    with (
        contextlib.suppress(amqp.AMQPError, struct.error, TypeError, ValueError, AttributeError, OverflowError),
        amqp.Connection(url.removeprefix("amqp://guest:guest@").rstrip("/")) as connection,
    ):
        connection.channel().basic_publish(odd, exchange="sluice", routing_key=QUEUE)


def answer_time(app: Celery, worker: Worker, message: dict[str, Any]) -> float:
    """Seconds until a good message is answered."""
    began = time.monotonic()
    try:
        assert "label" in app.tasks[TASK_NAME].delay("good").get(timeout=ANSWERED_S)
    except Exception as exc:
        raise AssertionError(f"{message!r}: {exc!r}\n{worker.output()[-3000:]}") from None
    took_s = time.monotonic() - began
    if "TOOK" in os.environ:
        print(f"took {took_s:.3f}")
    return took_s


@pytest.mark.parametrize("kind", ["application/x-gzip", "application/x-bz2", "application/x-lzma"])
@pytest.mark.parametrize(
    ("body", "said"),
    [(b" " * 300_000_000, "more than the limit of"), (None, "cannot be unpacked")],
    ids=["huge", "garbage"],
)
def test_a_compressed_body_that_cannot_be_read_says_why(
    brokers: Brokers, worker: Worker, app: Celery, kind: str, body: bytes | None, said: str
) -> None:
    name = str(uuid4())
    packed = b"none of it" if body is None else compress(body, kind)[0]
    message: dict[str, Any] = {
        "headers": {"id": name, "compression": kind},
        "without": set(),
        "body": packed,
        "type": "application/json",
        "encoding": "utf-8",
        "properties": {},
        "outer": {},
    }
    {"redis": send_redis, "rabbitmq": send_amqp}[brokers.kind](brokers.broker.url, message)
    answer_time(app, worker, {"compression": kind})
    with pytest.raises(InvalidInput, match=said):
        app.AsyncResult(name).get(timeout=ANSWERED_S)


#: What lies on a broker beyond what a library would write: raw values of the queue's list.
RAW: tuple[bytes, ...] = (
    b"",
    b"null",
    b"5",
    b"[]",
    b"{}",
    b"\xff",
    b'{"properties": 5}',
    b'{"properties": {"delivery_tag": 5}}',
    b"[" * 5000,
)
RAW += (b'{"properties": {"delivery_tag": "t", "delivery_info": {"exchange": 1e999, "routing_key": {"a": [1]}}}}',)
RAW += (b'{"__type__": "decimal", "__value__": "x"}', b'{"properties": {"delivery_tag": "u", "delivery_info": []}}')
RAW += (b'{"body": 5, "headers": {"a": {"__type__": "decimal", "__value__": "x"}}, "properties": {}}',)


def test_no_raw_value_on_redis_stops_the_service(brokers: Brokers, worker: Worker, app: Celery) -> None:
    if brokers.kind != "redis":
        pytest.skip("values of Redis")
    client = redis.Redis.from_url(brokers.broker.url)
    for raw in RAW:
        client.lpush(QUEUE, raw)
        assert answer_time(app, worker, {"raw": raw}) < ANSWERED_S
    wait_for(lambda: not client.llen(QUEUE) and not client.hlen("unacked"), "all settled")
    client.close()
