"""The broker queue of a lane, and on RabbitMQ where its messages go when the broker gives them up.

Quorum queues count deliveries, those of messages too that a dying worker merely held, and at a limit they drop the
message: 20 on RabbitMQ 4 if nobody says anything, or what an operator's policy says. So Sluice's queues say both: a
limit that nothing reaches, and an exchange to which RabbitMQ hands what it gives up under a policy's lower one. Behind
that exchange is one queue, which the workers consume themselves (``sluice.worker.consumer.deadletters``).
"""

from __future__ import annotations

from collections.abc import Callable

from amqp.channel import Channel
from amqp.exceptions import PreconditionFailed
from kombu import Exchange, Queue

from sluice.config.settings import Settings
from sluice.tasks.envelope import DEAD_LETTERS

EXCHANGE_NAME = "sluice"
#: Deliveries that no message comes to; RabbitMQ does not know "no limit" in every release.
NO_LIMIT = 1_000_000
#: On what RabbitMQ 3.10 and newer keep a message until the next queue has it; older ones overlook it.
SAFELY = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
TYPE = "x-queue-type"


class LaneQueue(Queue):
    """A queue that may have been declared by an earlier release: then it is used as it stands.

    RabbitMQ never changes the arguments of a queue that exists.
    """

    #: Whether the queue that exists has no dead letters of its own; known once it was declared.
    outdated = False
    queue_arguments: dict[str, object] | None

    def queue_declare(self, nowait: bool = False, passive: bool = False, channel: Channel | None = None) -> object:
        """Declare it; as it stands, if it is there with the right type and without arguments of today.

        Raises:
            PreconditionFailed: it is there with another type.
        """
        channel = channel or self.channel
        ours: dict[str, object] = dict(self.queue_arguments or {})
        if passive or set(ours) <= {TYPE}:
            return super().queue_declare(nowait, passive, channel)
        declare = super().queue_declare
        try:
            return _apart(channel, lambda probe: declare(False, False, probe))
        except PreconditionFailed:
            pass
        self.queue_arguments = {TYPE: ours[TYPE]}
        try:
            _apart(channel, lambda probe: declare(False, False, probe))
        except PreconditionFailed as exc:
            if f"'{TYPE}'" in str(exc.reply_text):
                raise
        finally:
            self.queue_arguments = ours
        self.outdated = True
        return declare(False, True, channel)


def _apart(channel: Channel, action: Callable[[Channel], object]) -> object:
    """``action`` on a channel of its own: RabbitMQ closes the one on which it refuses something."""
    probe = channel.connection.channel()
    try:
        return action(probe)
    finally:
        if probe.is_open:
            probe.close()


def lane_queue(name: str, settings: Settings) -> Queue:
    """The queue of a lane."""
    if not settings.uses_amqp:
        return Queue(name, Exchange(EXCHANGE_NAME, type="direct"), routing_key=name)
    # Celery's delayed delivery (countdown, eta) on quorum queues works through topic exchanges only.
    exchange = Exchange(EXCHANGE_NAME, type="topic", durable=True)
    arguments: dict[str, object] = {TYPE: settings.queue_type}
    if has_dead_letters(settings):
        arguments |= {"x-delivery-limit": NO_LIMIT, "x-dead-letter-exchange": DEAD_LETTERS, **SAFELY}
    return LaneQueue(name, exchange, routing_key=name, durable=True, queue_arguments=arguments)


def has_dead_letters(settings: Settings) -> bool:
    """Whether the broker may give up messages by itself: only quorum queues count deliveries."""
    return settings.uses_amqp and settings.queue_type == "quorum"


def dead_letter_queue() -> Queue:
    """Where RabbitMQ puts what it gave up. What is rejected there goes to its end, with its deliveries counted anew."""
    arguments = {TYPE: "quorum", "x-delivery-limit": NO_LIMIT, "x-dead-letter-exchange": DEAD_LETTERS}
    exchange = Exchange(DEAD_LETTERS, type="fanout", durable=True)
    return Queue(DEAD_LETTERS, exchange, durable=True, queue_arguments=arguments)
