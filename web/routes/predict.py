"""``POST /predict/``: one message, one answer, in OpenTextShield's shape."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import orjson
from flask import Blueprint, Response, request

from sluice.config.settings import Settings
from sluice.tasks.errors import SluiceError, from_code
from sluice.tasks.prediction_options import PredictionOptions
from sluice.tasks.verdicts import earlier_release, no_thresholds
from sluice.tasks.wire.entry import Entry, Prediction, fault_of, is_prediction
from sluice.web.gateway import GatewayApi, Queued
from sluice.web.http.auth import Guard
from sluice.web.http.body import JSON, read
from sluice.web.http.prefer import preference
from sluice.web.routes.degraded import HEADER, OUTAGES, Fallback
from sluice.web.routes.jobs import POLL_AFTER_S, as_json, queued_message
from sluice.web.routes.served_models import ServedModels
from sluice.web.schemas.predict import PredictRequest

#: Status line, headers, body.
Reply = tuple[str, list[tuple[str, str]], bytes]


class Predictor:
    """From a request that is read to the parts of its response; knows nothing of Flask."""

    def __init__(
        self,
        settings: Settings,
        gateway: GatewayApi,
        guard: Guard,
        schema: type[PredictRequest],
        served: ServedModels,
        fallback: Fallback,
    ) -> None:
        self.guard = guard
        self.schema = schema
        self._default_wait_s = settings.sync_wait_s
        self._always_verdict = settings.verdict
        self._fallback = fallback
        self._gateway = gateway
        self._served = served

    def predict(self, wanted: PredictRequest, prefer: str | None, started: float) -> Reply:
        """Classify.

        Args:
            prefer: the ``Prefer`` header.
            started: ``perf_counter()`` at the request's arrival.

        Raises:
            SluiceError: what the gateway raises, an unknown model, no verdict where one was asked for, or the message's
                own error.
        """
        preferred = preference(prefer, self._default_wait_s)
        options = PredictionOptions(wanted.scores, wanted.verdict or self._always_verdict)
        status, headers = "200 OK", [("Content-Type", JSON)]
        if preferred.applied:
            headers.append(("Preference-Applied", preferred.applied))
        if self._fallback.covers(options, preferred.wait_s):
            answer = self._answer_anyway(wanted, options, preferred.wait_s, started)
            if answer.get("degraded"):
                headers.append((HEADER, answer["reason"]))
        else:
            classified = self._classify(wanted, options, preferred.wait_s)
            if isinstance(classified, Queued):
                status, answer = "202 Accepted", as_json(queued_message(classified.id))
                headers += [("Location", f"/jobs/{classified.id}"), ("Retry-After", POLL_AFTER_S)]
            else:
                answer = self._answer(wanted, options, classified, started)
        payload = orjson.dumps(answer)
        headers.append(("Content-Length", str(len(payload))))
        return status, headers, payload

    def _classify(
        self, wanted: PredictRequest, options: PredictionOptions, wait_s: float, *, punctual: bool = False
    ) -> Entry | Queued:
        if wanted.model is not None:
            self._served.check(wanted.model)
        return self._gateway.classify(wanted.text, wait_s, options=options, punctual=punctual)

    def _answer_anyway(
        self, wanted: PredictRequest, options: PredictionOptions, wait_s: float, started: float
    ) -> dict[str, Any]:
        """The answer; a degraded one if there is none in time, or because a part is away or full."""
        try:
            classified = self._classify(wanted, options, wait_s, punctual=True)
            if isinstance(classified, Queued):
                return self._fallback.of_timeout(classified.id, wait_s, perf_counter() - started)
            return self._answer(wanted, options, classified, started)
        except OUTAGES as exc:
            return self._fallback.of_outage(exc, perf_counter() - started)

    def _answer(
        self, wanted: PredictRequest, options: PredictionOptions, entry: Entry, started: float
    ) -> dict[str, Any]:
        if not is_prediction(entry):
            fault = fault_of(entry)
            raise from_code(fault["code"], fault["message"])
        answer: dict[str, Any] = {
            "label": entry["label"],
            "probability": entry["probability"],
            "processing_time": round(perf_counter() - started, 6),
            "model_info": self._served.info(entry["model"], entry["version"]),
        }
        if options.scores:
            answer["scores"] = entry["scores"]
        if entry.get("verdict") is None:
            if wanted.verdict:
                raise _no_verdict(entry)
        elif options.verdict:
            answer["verdict"], answer["rule"] = entry["verdict"], entry["rule"]
        return answer


def _no_verdict(entry: Prediction) -> SluiceError:
    """Why the prediction of somebody who asked for a verdict has none."""
    return no_thresholds(f"{entry['model']} {entry['version']}") if "rule" in entry else earlier_release()


def blueprint(predictor: Predictor) -> Blueprint:
    """The route, for every request that ``sluice.web.routes.hot`` leaves to Flask."""
    routes = Blueprint("predict", __name__)
    routes.before_request(predictor.guard)

    @routes.post("/predict/")
    def predict() -> Response:
        started = perf_counter()
        status, headers, payload = predictor.predict(read(predictor.schema), request.headers.get("Prefer"), started)
        return Response(payload, status, headers)

    return routes
