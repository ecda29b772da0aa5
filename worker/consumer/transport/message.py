"""Broker messages as kombu has them, made and read with less work."""

from __future__ import annotations

import sys
from typing import Any
from uuid import uuid4

import orjson
from kombu.message import Message as KombuMessage
from kombu.transport import pyamqp
from kombu.transport.virtual import base as virtual

from sluice.worker.consumer.transport.kombu_types import Channel, Table

EXCHANGE, KEY = "exchange", "routing_key"
JSON, UTF8 = "application/json", "utf-8"


class JsonMessage(KombuMessage):
    """A message whose JSON body is read by orjson; whatever orjson cannot read, kombu reads or refuses."""

    def _decode(self) -> object:
        if self.content_type == JSON and self.content_encoding == UTF8 and self.accept and JSON in self.accept:
            body = self.body
            # Kombu marks dates and the like so, and makes objects of them.
            if (b"__type__" if isinstance(body, bytes) else "__type__") not in body:
                try:
                    return orjson.loads(body)
                except orjson.JSONDecodeError:
                    pass
        return super()._decode()


class Kept:
    """A message of a queue with dead letters: what is rejected there is not deleted, as Celery would have it."""

    def reject(self: Any, requeue: bool = False) -> None:
        """Give it back, or delete it: the worker has said why."""
        if requeue:
            super().reject(requeue=True)  # type: ignore[misc]
        else:
            self.ack()

    def set_aside(self: Any) -> None:
        """Hand it to the dead letters."""
        super().reject(requeue=False)  # type: ignore[misc]


class FramedMessage(Kept, pyamqp.Message):
    """A message from RabbitMQ as py-amqp reads it."""


class RabbitMessage(Kept, JsonMessage, pyamqp.Message):
    """A message from RabbitMQ, made from its parts.

    Args:
        body: as it came.
        info: kombu's ``delivery_info``.
        properties: AMQP's, the headers among them.
        channel: py-amqp's.
    """

    def __init__(self, body: bytes, info: Table, properties: Table, channel: Channel) -> None:
        headers = properties.get("application_headers") or {}
        if headers.get("compression"):
            KombuMessage.__init__(
                self,
                body=body,
                channel=channel,
                delivery_tag=info["delivery_tag"],
                content_type=properties.get("content_type"),
                content_encoding=properties.get("content_encoding"),
                delivery_info=info,
                properties=properties,
                headers=headers,
            )
            return
        self.errors = []
        self.body = body
        self.channel = channel
        self.delivery_tag = info["delivery_tag"]
        self.content_type = properties.get("content_type")
        self.content_encoding = properties.get("content_encoding")
        self.delivery_info = info
        self.properties = properties
        self.headers = headers
        self.accept = None
        self._decoded_cache = None
        self._state = "RECEIVED"


class RedisMessage(JsonMessage, virtual.Message):
    """A message from Redis; what kombu cannot make one of has that error in it, and none of its body."""

    def __init__(self, payload: Table, channel: Channel | None = None, **options: object) -> None:
        try:
            super().__init__(payload, channel=channel, **options)
        except Exception:
            # Celery's consumer gives a message with errors to those who set it aside.
            self.errors = [sys.exc_info()]
            properties, headers = payload["properties"], payload.get("headers")
            KombuMessage.__init__(
                self,
                body=b"",
                channel=channel,
                delivery_tag=properties["delivery_tag"],
                content_type=payload.get("content-type"),
                delivery_info=properties["delivery_info"],
                properties=properties,
                headers=headers if isinstance(headers, dict) else {},
            )
        info = self.delivery_info
        if not (isinstance(info, dict) and isinstance(info.get(EXCHANGE), str) and isinstance(info.get(KEY), str)):
            self.delivery_info = {EXCHANGE: "", KEY: ""}  # it can be given back nowhere
        if not isinstance(self.delivery_tag, str):
            self.delivery_tag = str(uuid4())
