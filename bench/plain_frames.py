"""The worker's Celery app with py-amqp's own reading of frames: what is ours worth? For ``celery -A``."""

from __future__ import annotations

from kombu.transport import pyamqp

from sluice.tasks import celery
from sluice.worker.consumer.transport import rabbitmq
from sluice.worker.consumer.transport.message import JsonMessage, Kept

__all__ = ("celery",)


class Message(Kept, JsonMessage, pyamqp.Message):
    """With orjson, as ours are."""


class Channel(pyamqp.Channel):
    Message = Message


class Connection(pyamqp.Connection):
    Channel = Channel


class Transport(pyamqp.Transport):
    Connection = Connection


rabbitmq.RabbitTransport = Transport  # type: ignore[misc,assignment]
