"""``POST /predict/``: one message, one answer, in OpenTextShield's shape."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import orjson
from flask import Blueprint, Response, request

from sluice.config.settings import Settings
from sluice.tasks.envelope import Entry
from sluice.tasks.errors import from_code
from sluice.web.auth import Guard
from sluice.web.body import JSON, read
from sluice.web.gateway import Gateway, Pending
from sluice.web.jobs import POLL_AFTER_S, as_json, queued_message
from sluice.web.prefer import preference
from sluice.web.schemas import PredictRequest
from sluice.web.served import Served

#: Status line, headers, body.
Reply = tuple[str, list[tuple[str, str]], bytes]


class Predictor:
    """From a request that is read to the parts of its response; knows nothing of Flask."""

    def __init__(
        self, settings: Settings, gateway: Gateway, guard: Guard, schema: type[PredictRequest], served: Served
    ) -> None:
        self.guard = guard
        self.schema = schema
        self._default_wait_s = settings.sync_wait_s
        self._gateway = gateway
        self._served = served

    def predict(self, wanted: PredictRequest, prefer: str | None, started: float) -> Reply:
        """Classify.

        Args:
            prefer: the ``Prefer`` header.
            started: ``perf_counter()`` at the request's arrival.

        Raises:
            SluiceError: what the gateway raises, an unknown model, or the message's own error.
        """
        if wanted.model is not None:
            self._served.check(wanted.model)
        preferred = preference(prefer, self._default_wait_s)
        outcome = self._gateway.classify(wanted.text, preferred.wait_s, scores=wanted.scores)
        headers = [("Content-Type", JSON)]
        if preferred.applied:
            headers.append(("Preference-Applied", preferred.applied))
        if isinstance(outcome, Pending):
            status, payload = "202 Accepted", orjson.dumps(as_json(queued_message(outcome.id)))
            headers += [("Location", f"/jobs/{outcome.id}"), ("Retry-After", POLL_AFTER_S)]
        else:
            status, payload = "200 OK", self._answer(outcome, perf_counter() - started, wanted.scores)
        headers.append(("Content-Length", str(len(payload))))
        return status, headers, payload

    def _answer(self, entry: Entry, seconds: float, scores: bool) -> bytes:
        error: dict[str, Any] | None = entry.get("error")
        if error is not None:
            raise from_code(error["code"], error["message"])
        answer = {
            "label": entry["label"],
            "probability": entry["probability"],
            "processing_time": round(seconds, 6),
            "model_info": self._served.info(entry["model"], entry["version"]),
        }
        if scores:
            answer["scores"] = entry["scores"]
        return orjson.dumps(answer)


def blueprint(predictor: Predictor) -> Blueprint:
    """The route, for every request that ``sluice.web.hot`` leaves to Flask."""
    routes = Blueprint("predict", __name__)
    routes.before_request(predictor.guard)

    @routes.post("/predict/")
    def predict() -> Response:
        started = perf_counter()
        status, headers, payload = predictor.predict(read(predictor.schema), request.headers.get("Prefer"), started)
        return Response(payload, status, headers)

    return routes
