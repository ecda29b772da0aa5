"""mosec with one batching worker behind its own front end in Rust.

``python -m sluice.bench.peers.mosec_worker --port 8001``; the model and the limits come from ``SLUICE_*`` settings.
"""

from __future__ import annotations

import os
from typing import Any

import orjson
from mosec import Server, ValidationError, Worker
from mosec.errors import DecodingError

from sluice.bench.peers.common import HOST, TIMEOUT_S, Model, is_text, port_option
from sluice.config.settings import Settings, current

CAPACITY = 4096


class ClassifyWorker(Worker):
    """A process of mosec's: it is handed the bodies of a batch and gives back as many answers."""

    def __init__(self) -> None:
        super().__init__()
        self._settings = current()
        self._model = Model(self._settings)
        self._model.warm_up()

    def deserialize(self, data: bytes) -> str:
        try:
            body = orjson.loads(data)
        except orjson.JSONDecodeError as exc:
            raise DecodingError("the body is not JSON") from exc
        text = body.get("text") if isinstance(body, dict) else None
        if not is_text(text, self._settings):
            raise ValidationError("text must be a string that is not blank")
        return str(text)

    def forward(self, data: list[str]) -> list[dict[str, Any]]:
        return self._model.classify(data)

    def serialize(self, data: dict[str, Any]) -> bytes:
        return orjson.dumps(data)


class SingleWorker(ClassifyWorker):
    """For a batch limit of 1, where mosec hands over one body and not a list."""

    def forward(self, data: Any) -> Any:
        return self._model.classify([data])[0]


def serve(settings: Settings, port: int) -> None:
    # mosec reads its command line by itself; its environment wins over that.
    os.environ.update(
        MOSEC_ADDRESS=HOST,
        MOSEC_PORT=str(port),
        MOSEC_TIMEOUT=str(TIMEOUT_S * 1000),
        MOSEC_CAPACITY=str(CAPACITY),
        MOSEC_LOG_LEVEL="warning",
    )
    size = settings.max_batch_size
    server = Server()
    worker = ClassifyWorker if size > 1 else SingleWorker
    server.append_worker(
        worker,
        num=1,
        max_batch_size=size,
        max_wait_time=round(settings.batch_wait_ms),
        timeout=TIMEOUT_S,
        route="/predict/",
    )
    server.run()


if __name__ == "__main__":
    serve(current(), port_option(__doc__))
