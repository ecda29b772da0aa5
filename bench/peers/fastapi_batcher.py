"""FastAPI with an in-process queue: one asyncio task gathers requests and runs the model in a thread.

``python -m sluice.bench.peers.fastapi_batcher --port 8001``; the model and the limits come from ``SLUICE_*`` settings.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel

from sluice.bench.peers.common import HOST, Model, is_text, port_option
from sluice.config.settings import Settings, current

Waiting = tuple[str, "asyncio.Future[dict[str, Any]]", float]


class Batcher:
    """Batches of N messages, or what came before the oldest one's time was up. Lives on the event loop."""

    def __init__(self, model: Model, size: int, wait_s: float) -> None:
        self._model = model
        self._size = size
        self._wait_s = wait_s
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue()
        self._executor = ThreadPoolExecutor(1)

    async def classify(self, text: str) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._queue.put_nowait((text, answer, loop.time()))
        return await answer

    async def run(self) -> None:
        """Gather, classify, answer, for ever; the next batch fills while the model is busy."""
        loop = asyncio.get_running_loop()
        while True:
            batch = await self._gather()
            try:
                texts = [text for text, _, _ in batch]
                answers = await loop.run_in_executor(self._executor, self._model.classify, texts)
            except Exception as exc:
                _settle(batch, [exc] * len(batch))
            else:
                _settle(batch, answers)

    async def _gather(self) -> list[Waiting]:
        batch = [await self._queue.get()]
        ends = batch[0][2] + self._wait_s
        loop = asyncio.get_running_loop()
        while len(batch) < self._size:
            if not self._queue.empty():
                batch.append(self._queue.get_nowait())
                continue
            left = ends - loop.time()
            if left <= 0:
                break
            try:
                batch.append(await asyncio.wait_for(self._queue.get(), left))
            except TimeoutError:
                break
        return batch


def _settle(batch: list[Waiting], outcomes: list[Any]) -> None:
    for (_, answer, _), outcome in zip(batch, outcomes, strict=True):
        if answer.done():
            continue
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)


class PredictRequest(BaseModel):
    text: str


def create_app(settings: Settings) -> FastAPI:
    model = Model(settings)
    model.warm_up()
    batcher = Batcher(model, settings.max_batch_size, settings.batch_wait_ms / 1000)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(batcher.run())
        yield
        task.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.post("/predict/")
    async def predict(request: PredictRequest) -> Response:
        if not is_text(request.text, settings):
            raise HTTPException(422, "text must be a string that is not blank")
        # A response of its own is sent as it is; anything else FastAPI would validate and copy first.
        return Response(orjson.dumps(await batcher.classify(request.text)), media_type="application/json")

    return app


if __name__ == "__main__":
    port = port_option(__doc__)
    uvicorn.run(
        create_app(current()),
        host=HOST,
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        backlog=1024,
    )
