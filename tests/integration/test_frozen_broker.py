"""A RabbitMQ that keeps its connections and answers nothing: the web process notices, and notices when it is over."""

from __future__ import annotations

from sluice.harness.process import wait_for
from sluice.harness.servers import RabbitServer, RedisServer
from sluice.harness.worker import client_app, environment
from sluice.tasks.app import settings_of
from sluice.tasks.redis_client import connect
from sluice.tasks.results import ResultReader
from sluice.web.gateway.backlog import Backlog
from sluice.web.gateway.service_monitor import ServiceMonitor


def test_a_frozen_rabbitmq_is_noticed_and_looked_at_again(
    rabbit_server: RabbitServer, redis_server: RedisServer
) -> None:
    app = client_app(environment(rabbit_server.url, redis_server.url))
    client = connect(redis_server.url)
    monitor = ServiceMonitor(app, ResultReader(app, client), Backlog(client, settings_of(app).max_queue_depth))
    monitor.start()
    try:
        wait_for(lambda: monitor.reasons()["broker"] is None, "the first look at the broker")
        rabbit_server.freeze()
        try:
            wait_for(lambda: "cannot be reached" in (monitor.reasons()["broker"] or ""), "the monitor's complaint")
        finally:
            rabbit_server.thaw()
        wait_for(lambda: monitor.reasons()["broker"] is None, "another look at the broker")
    finally:
        monitor.stop()
        client.close()
