"""The Celery app, made from the settings."""

from __future__ import annotations

from functools import cached_property

from celery import Celery

from sluice.config.masking import masked_url
from sluice.config.settings import Settings
from sluice.tasks.envelope import QUEUES
from sluice.tasks.lanequeue import EXCHANGE_NAME, lane_queue
from sluice.tasks.task import Classify


class App(Celery):
    """Celery's app, whose workers have names of their own."""

    @cached_property
    def Worker(self) -> type:  # noqa: N802  Celery's name; resolved in a worker only
        return self.subclass_with_self("sluice.worker.consumer.node:Worker")


def make_celery(settings: Settings) -> Celery:
    """A Celery app for ``settings``: two queues, one task, JSON only, acks after the stored result."""
    app = App("sluice", amqp="sluice.tasks.amqp:PrivateAMQP", fixups=[], loader="app")
    app.sluice_settings = settings
    app.backend_cls = "sluice.tasks.backend:ListeningFreeRedis"
    app.conf.update(_conf(settings))
    app.register_task(Classify())
    app.steps["worker"].add("sluice.worker.consumer.steps:Pipeline")
    app.steps["consumer"].add("sluice.worker.consumer.steps:Lanes")
    app.steps["consumer"].add("sluice.worker.consumer.steps:DeadLetters")
    return app


def settings_of(app: Celery) -> Settings:
    """The settings that ``app`` was made from."""
    settings: Settings = app.sluice_settings
    return settings


def _transport_options(settings: Settings) -> dict[str, object]:
    if settings.uses_amqp:
        # A 202 promises that the message is safe: wait for RabbitMQ's confirmation of each envelope.
        return {"confirm_publish": True}
    return {
        "visibility_timeout": settings.visibility_timeout_s,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 10,  # who is lost while giving back what dead workers held must not bar the others long
        "socket_connect_timeout": 5,
        "socket_timeout": 5,  # a server that is frozen counts as gone
        "socket_keepalive": True,
        "health_check_interval": 25,
    }


def _conf(settings: Settings) -> dict[str, object]:
    interactive = QUEUES["interactive"]
    return {
        "broker_url": settings.broker,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": _transport_options(settings),
        "broker_heartbeat": 30,
        "result_backend": masked_url(settings.backend),  # to be shown: the backend takes the URL from the settings
        "result_expires": settings.result_ttl_s,
        "result_extended": False,  # extended results would hold the texts
        "result_accept_content": ["json"],
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_queues": [lane_queue(name, settings) for name in QUEUES.values()],
        "task_default_queue": interactive,
        "task_default_exchange": EXCHANGE_NAME,
        "task_default_exchange_type": "topic" if settings.uses_amqp else "direct",
        "task_default_routing_key": interactive,
        "task_create_missing_queues": False,
        "task_acks_late": True,
        "task_send_sent_event": False,
        "worker_pool": "solo",
        "worker_concurrency": 1,
        "worker_prefetch_multiplier": prefetch_envelopes(settings),
        "worker_enable_prefetch_count_reduction": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": False,
        "worker_log_color": False,
        "worker_redirect_stdouts": False,
        "enable_utc": True,
        "timezone": "UTC",
    }


def prefetch_envelopes(settings: Settings) -> int:
    """Envelopes of one message each that a worker holds: enough for the running, the next and two filling batches."""
    return 4 * settings.max_batch_size
