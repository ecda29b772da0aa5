"""``/predict/`` in the document."""

from __future__ import annotations

from sluice.web.openapi.parts import (
    WRITE_ERRORS,
    Json,
    answer,
    body,
    content,
    either,
    errors,
    prefer,
)
from sluice.web.routes import degraded
from sluice.web.schemas.limits import Requests


def paths(requests: Requests) -> Json:
    return {
        "/predict/": {
            "post": {
                "tags": ["predict"],
                "operationId": "predict",
                "summary": "Classify one message",
                "description": (
                    "Waits for the answer. When the wait runs out the message stays queued, and its result is found"
                    " at `Location` later. Who wants a verdict is answered `DegradedResponse` then, and while a part is"
                    " away or full, if the server is set so."
                ),
                "parameters": [prefer("the server's `SYNC_WAIT_S`")],
                "requestBody": body(requests.predict),
                "responses": {
                    "200": answer(
                        "The answer",
                        either("PredictResponse", "DegradedResponse"),
                        "Preference-Applied",
                        degraded.HEADER,
                    ),
                    "202": content(
                        "Queued; no answer in time", "JobState", "Location", "Retry-After", "Preference-Applied"
                    ),
                    **errors(*WRITE_ERRORS, 410),
                },
            }
        }
    }
