"""What lies in the broker after an envelope was published, on a real Redis."""

from __future__ import annotations

import base64
import json

import redis
from celery import Celery

from sluice.tasks import keys
from sluice.tasks.envelope import QUEUES
from sluice.tasks.prediction_options import PredictionOptions
from sluice.tasks.publisher import Publisher
from sluice.tasks.wire.headers import EnvelopeHeaders


def test_the_headers_say_what_the_sender_wants(celery_app: Celery, store: redis.Redis) -> None:
    options = PredictionOptions(scores=True, verdict=True)
    with Publisher(celery_app) as publisher:
        envelope = publisher.publish(
            ["one", "two"], lane="bulk", reply_to="address", more=3, options=options, counted=True
        )
    (raw,) = store.lrange(QUEUES["bulk"], 0, -1)
    message = json.loads(raw)
    assert message["headers"]["id"] == envelope
    assert EnvelopeHeaders.from_wire(message["headers"]) == EnvelopeHeaders("address", 3, verdict=True, counted=True)
    assert json.loads(base64.b64decode(message["body"]))[:2] == [[["one", "two"]], {"scores": True}]
    assert store.hgetall(keys.LEDGER) == {}, "its sender has counted it"


def test_what_nobody_counted_is_counted_and_marked(celery_app: Celery, store: redis.Redis) -> None:
    with Publisher(celery_app) as publisher:
        publisher.publish(["one", "two"])
    (raw,) = store.lrange(QUEUES["interactive"], 0, -1)
    assert EnvelopeHeaders.from_wire(json.loads(raw)["headers"]) == EnvelopeHeaders(counted=True)
    assert store.hgetall(keys.LEDGER) == {b"interactive:envelopes": b"1", b"interactive:messages": b"2"}
