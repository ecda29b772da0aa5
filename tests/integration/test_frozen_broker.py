"""A RabbitMQ that keeps its connections and answers nothing: the web process notices, and notices when it is over."""

from __future__ import annotations

from sluice.tasks.app import settings_of
from sluice.tasks.redis_client import connect
from sluice.tasks.results import ResultReader
from sluice.web.gateway.backlog import Backlog
from sluice.web.gateway.sampler import Sampler
from tests.harness.process import wait_for
from tests.harness.servers import RabbitServer, RedisServer
from tests.harness.worker import client_app, environment


def test_a_frozen_rabbitmq_is_noticed_and_looked_at_again(
    rabbit_server: RabbitServer, redis_server: RedisServer
) -> None:
    app = client_app(environment(rabbit_server.url, redis_server.url))
    client = connect(redis_server.url)
    sampler = Sampler(app, ResultReader(app, client), Backlog(client, settings_of(app).max_queue_depth))
    sampler.start()
    try:
        wait_for(lambda: sampler.reasons()["broker"] is None, "the first look at the broker")
        rabbit_server.freeze()
        try:
            wait_for(lambda: "cannot be reached" in (sampler.reasons()["broker"] or ""), "the sampler's complaint")
        finally:
            rabbit_server.thaw()
        wait_for(lambda: sampler.reasons()["broker"] is None, "another look at the broker")
    finally:
        sampler.stop()
        client.close()
