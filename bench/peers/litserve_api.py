"""LitServe with its batching API.

``python -m sluice.bench.peers.litserve_api --port 8001``; the model and the limits come from ``SLUICE_*`` settings.
"""

# No postponed annotations here: LitServe looks at those of decode_request.
from typing import Any

import litserve
from fastapi import HTTPException, Request

from sluice.bench.peers.common import HOST, TIMEOUT_S, Model, is_text, port_option
from sluice.config.settings import Settings, current


class ClassifyAPI(litserve.LitAPI):
    """LitServe gathers requests in a process of its own and calls these methods there."""

    def setup(self, device: str) -> None:
        self._settings = current()
        self._model = Model(self._settings)
        self._model.warm_up()

    def decode_request(self, request: Request) -> str:
        """`request` is the parsed body; LitServe takes `Request` to mean that it shall parse it."""
        body: Any = request
        text = body.get("text") if isinstance(body, dict) else None
        if not is_text(text, self._settings):
            raise HTTPException(422, "text must be a string that is not blank")
        return str(text)

    def batch(self, inputs: list[str]) -> list[str]:
        return list(inputs)

    def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        return self._model.classify(texts)

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return output

    def encode_response(self, output):  # type: ignore[no-untyped-def]  # an annotation would have FastAPI validate it
        return output


def serve(settings: Settings, port: int) -> None:
    api = ClassifyAPI(
        max_batch_size=settings.max_batch_size, batch_timeout=settings.batch_wait_ms / 1000, api_path="/predict/"
    )
    server = litserve.LitServer(api, accelerator="cpu", timeout=TIMEOUT_S, fast_queue=True)
    server.run(host=HOST, port=port, log_level="warning", generate_client_file=False, access_log=False)


if __name__ == "__main__":
    serve(current(), port_option(__doc__))
