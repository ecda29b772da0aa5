"""A gateway that answers by itself, for tests of the routes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, cast

from sluice.tasks.errors import NotFound, SluiceError
from sluice.tasks.prediction_options import LABEL_ONLY, OPTION_NAMES, PredictionOptions
from sluice.tasks.weeks import WeekFigures
from sluice.tasks.wire.entry import Entry, prediction
from sluice.tasks.wire.status import WorkerStatus
from sluice.web.gateway import JobStatus, JobSubmission, Queued, ResultPage
from sluice.web.gateway.job_store import IdempotencyRecord, Job

MODEL = {"name": "fake", "version": "7", "architecture": "none", "author": "tests", "last_training": "2026-01-01"}


class FakeGateway:
    """Remembers what it was asked; raises ``error`` when set; answers 202 when ``late``."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.late = False
        self.judged: dict[str, str | None] = {"verdict": "flag", "rule": "spam >= 0.5"}
        self.entry: Entry = prediction("token", "spam", 0.75, "fake", "7")
        self.asked: list[tuple[Any, ...]] = []
        self.status = JobStatus("job-1", "done", 2, 2, 0, 1_700_000_000.0, 1_700_000_001.5)
        self.entries = cast(list[Entry], [{"id": "0", "label": "ham"}, {"id": "1", "label": "spam"}])
        verdicts = {"policy": "model", "thresholds": {"spam": {"flag": 0.5, "block": 0.9}}}
        self.alive: list[dict[str, Any]] = [
            {"hostname": "w", "state": "ready", "model": MODEL, "rate": 10.0, "verdicts": verdicts}
        ]
        self.why: dict[str, str | None] = {"broker": None, "backend": None}

    def _asked(self, *what: Any) -> None:
        self.asked.append(what)
        if self.error is not None:
            raise self.error

    def classify(
        self, text: str, wait_s: float, *, options: PredictionOptions = LABEL_ONLY, punctual: bool = False
    ) -> Entry | Queued:
        self._asked("classify", text, wait_s)
        if self.late:
            return Queued("env.token")
        return options.trimmed(cast(Entry, {"scores": {"ham": 0.25, "spam": 0.75}, **self.judged, **self.entry}))

    def submit_job(
        self,
        messages: Any,
        lane: str,
        wait_s: float = 0,
        idempotency: IdempotencyRecord | None = None,
        *,
        options: PredictionOptions = LABEL_ONLY,
        owner: str = "",
    ) -> JobSubmission:
        self._asked(
            "submit_job",
            messages,
            lane,
            wait_s,
            idempotency,
            *(name for name in OPTION_NAMES if getattr(options, name)),
        )
        queued = JobStatus("job-1", "queued", len(messages), 0, 0, time.time(), None)
        return JobSubmission(self.status, self.entries) if wait_s and not self.late else JobSubmission(queued)

    def jobs(self, owner: str, before: str | None, count: int) -> list[tuple[str, JobStatus]]:
        self._asked("jobs", owner, before, count)
        place = "1700000000000000:job-1"
        return [(place, self.status)] if before is None or place < before else []

    def job(self, job_id: str) -> JobStatus:
        self._asked("job", job_id)
        if job_id != self.status.id:
            raise NotFound("there is no such job, or its results have expired", {"field": "id"})
        return self.status

    def job_results(self, job_id: str, offset: int, limit: int) -> ResultPage:
        status = self.job(job_id)
        job = Job(status.id, status.total, status.created_at, "bulk", [("e", status.total)])
        return ResultPage(status, offset, self.entries[offset : offset + limit], job)

    def stream_results(self, page: ResultPage) -> Iterator[list[Entry]]:
        yield from ()

    def cancel(self, job_id: str) -> JobStatus:
        return self.job(job_id)

    def workers(self) -> list[WorkerStatus]:
        return [WorkerStatus.from_json(one) for one in self.alive]

    def weeks(self) -> list[WeekFigures]:
        return [cast("WeekFigures", {"week": "2026-W01"})]

    def depth(self, lane: str | None = None) -> int:
        return 4

    def reasons(self) -> dict[str, str | None]:
        return dict(self.why)


__all__ = ["FakeGateway", "SluiceError"]
