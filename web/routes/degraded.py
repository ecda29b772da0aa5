"""What who waits for a verdict is answered when there is none in time: by the settings an error, or a degraded allow.

A degraded answer has a shape of its own, without label, probability and model, so that nobody takes it for a
classification. Only who wants a verdict gets one: other callers would not know what it is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import Any

from sluice.config.settings import Settings
from sluice.tasks.errors import BackendUnavailable, BrokerUnavailable, ModelUnavailable, QueueFull, SluiceError
from sluice.tasks.prediction_options import PredictionOptions
from sluice.web.schemas.predict import DEGRADED_RULE

log = logging.getLogger(__name__)

#: Outages, of which the caller's message is not the cause. What is wrong with a message itself stays an error: who
#: sends it could otherwise choose to have it pass.
OUTAGES = (BrokerUnavailable, BackendUnavailable, ModelUnavailable, QueueFull)
TIMEOUT = "timeout"
#: Response header with the reason, for proxies and access logs.
HEADER = "X-Degraded"
#: Seconds between two log lines about the same reason.
LOG_EVERY_S = 30.0


class Fallback:
    """Makes degraded answers and counts them. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._allows = settings.on_outage == "allow"
        self._mutex = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._logged: dict[str, tuple[float, int]] = {}

    def covers(self, options: PredictionOptions, wait_s: float) -> bool:
        """Whether a caller gets a degraded answer in place of an error: one who waits, for a verdict."""
        return self._allows and options.verdict and wait_s > 0

    @property
    def counts(self) -> dict[str, int]:
        """Degraded answers of this process, by reason."""
        with self._mutex:
            return dict(self._counts)

    def of_outage(self, error: SluiceError, seconds: float) -> dict[str, Any]:
        """The answer while ``error`` lasts; ``seconds`` is the request's time so far."""
        return self._answer(error.code, error.message, None, seconds)

    def of_timeout(self, job_id: str, wait_s: float, seconds: float) -> dict[str, Any]:
        """The answer to a message that is queued as job ``job_id`` and was waited for in vain."""
        return self._answer(TIMEOUT, f"there was no answer within {wait_s:g} s", f"/jobs/{job_id}", seconds)

    def _answer(self, reason: str, message: str, result: str | None, seconds: float) -> dict[str, Any]:
        self._note(reason, message)
        return {
            "verdict": "allow",
            "rule": DEGRADED_RULE,
            "degraded": True,
            "reason": reason,
            "message": message,
            "result": result,
            "processing_time": round(seconds, 6),
        }

    def _note(self, reason: str, message: str) -> None:
        """Count, and say now and then how many messages pass unseen."""
        now = time.monotonic()
        with self._mutex:
            self._counts[reason] += 1
            at, told = self._logged.get(reason, (float("-inf"), 0))
            if now - at < LOG_EVERY_S:
                return
            count = self._counts[reason] - told
            self._logged[reason] = now, self._counts[reason]
        log.warning("SLUICE_ON_OUTAGE=allow: %d answered allow without the model (%s): %s", count, reason, message)
