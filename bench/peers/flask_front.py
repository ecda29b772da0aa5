"""The Flask front end of both Celery peers: send one task per request, wait for its result.

``python -m sluice.bench.peers.flask_front --port 8001 --task peer.single`` or ``--task peer.batched``; broker, backend
and limits come from ``SLUICE_*`` settings. The worker is ``sluice.bench.peers.queue_workers``.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import orjson
from celery import Celery
from flask import Flask, Response, abort, request
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server

from sluice.bench.peers.common import HOST, TIMEOUT_S, WEB_THREADS, is_text
from sluice.config.settings import Settings, current

TASK_VARIABLE = "PEER_TASK"
QUEUE = "peer"
#: Two were 4% better than one at 64 connections and 8% at 256, on two cores.
WEB_PROCESSES = 2


def create_app() -> Flask:
    """A plain WSGI application, for any server."""
    return make_app(current(), os.environ[TASK_VARIABLE])


def make_app(settings: Settings, task: str) -> Flask:
    celery = _client(settings)
    app = Flask(__name__)

    @app.post("/predict/")
    def predict() -> Response:
        body: Any = request.get_json()
        text = body.get("text") if isinstance(body, dict) else None
        if not is_text(text, settings):
            abort(422)
        result = celery.send_task(task, (text,), queue=QUEUE)
        return Response(orjson.dumps(result.get(timeout=TIMEOUT_S)), mimetype="application/json")

    return app


def _client(settings: Settings) -> Celery:
    """A connection to the broker for every thread: Celery's default of 10 would have them queue for one."""
    celery = Celery("peer", broker=settings.broker, backend=settings.backend)
    celery.conf.broker_pool_limit = WEB_THREADS
    return celery


def serve(port: int) -> None:
    Server(
        "sluice.bench.peers.flask_front:create_app",
        factory=True,
        address=HOST,
        port=port,
        interface=Interfaces.WSGI,
        workers=WEB_PROCESSES,
        blocking_threads=WEB_THREADS,
        backpressure=1024,
        backlog=1024,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.error,
    ).serve()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--task", choices=["peer.single", "peer.batched"], required=True)
    options = parser.parse_args()
    os.environ[TASK_VARIABLE] = options.task
    serve(options.port)


if __name__ == "__main__":
    main()
