"""``POST /predict/``: one message, one answer, in OpenTextShield's shape."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import orjson
from flask import Blueprint, Response, request

from config.settings import Settings
from tasks.envelope import Entry
from tasks.errors import from_code
from web.auth import Guard
from web.body import JSON, read
from web.gateway import Gateway, Pending
from web.jobs import accepted, queued_message
from web.prefer import preference
from web.schemas import Requests
from web.served import Served


def blueprint(settings: Settings, gateway: Gateway, guard: Guard, requests: Requests, served: Served) -> Blueprint:
    routes = Blueprint("predict", __name__)
    routes.before_request(guard)
    schema = requests.predict

    @routes.post("/predict/")
    def predict() -> Response:
        started = perf_counter()
        body = read(schema)
        if body.model is not None:
            served.check(body.model)
        wanted = preference(request.headers.get("Prefer"), settings.sync_wait_s)
        outcome = gateway.classify(body.text, wanted.wait_s)
        if isinstance(outcome, Pending):
            response = accepted(queued_message(outcome.id))
        else:
            response = Response(_answer(outcome, served, perf_counter() - started), mimetype=JSON)
        if wanted.applied:
            response.headers["Preference-Applied"] = wanted.applied
        return response

    return routes


def _answer(entry: Entry, served: Served, seconds: float) -> bytes:
    error: dict[str, Any] | None = entry.get("error")
    if error is not None:
        raise from_code(error["code"], error["message"])
    return orjson.dumps(
        {
            "label": entry["label"],
            "probability": entry["probability"],
            "processing_time": round(seconds, 6),
            "model_info": served.info(entry["model"], entry["version"]),
        }
    )
