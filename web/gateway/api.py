"""What the routes ask of a gateway; ``Gateway`` gives it through the broker, tests by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.weeks import WeekFigures
from sluice.tasks.wire.entry import Entry
from sluice.tasks.wire.status import WorkerStatus
from sluice.web.gateway.gateway import Queued
from sluice.web.gateway.job_service import JobSubmission, ResultPage
from sluice.web.gateway.job_status import JobStatus
from sluice.web.gateway.job_store import IdempotencyRecord


class GatewayApi(Protocol):
    """Each method is described at ``sluice.web.gateway.gateway.Gateway``."""

    def classify(
        self, text: str, wait_s: float, *, options: PredictionOptions = LABEL_ONLY, punctual: bool = False
    ) -> Entry | Queued: ...

    def submit_job(
        self,
        messages: list[str] | list[dict[str, str]],
        lane: str,
        wait_s: float = 0,
        idempotency: IdempotencyRecord | None = None,
        *,
        options: PredictionOptions = LABEL_ONLY,
        owner: str = "",
    ) -> JobSubmission: ...

    def job(self, job_id: str) -> JobStatus: ...

    def jobs(self, owner: str, before: str | None, count: int) -> list[tuple[str, JobStatus]]: ...

    def job_results(self, job_id: str, offset: int, limit: int) -> ResultPage: ...

    def stream_results(self, page: ResultPage) -> Iterator[list[Entry]]: ...

    def cancel(self, job_id: str) -> JobStatus: ...

    def workers(self) -> list[WorkerStatus]: ...

    def weeks(self) -> list[WeekFigures]: ...

    def depth(self, lane: str | None = None) -> int: ...

    def reasons(self) -> dict[str, str | None]: ...
