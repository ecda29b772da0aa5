"""``/health``, ``/readyz`` and ``/stats``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from sluice.tasks.wire.status import WorkerStatus


class ServedModel(BaseModel):
    name: str
    version: str
    architecture: str


class HealthResponse(BaseModel):
    """OpenTextShield's health shape."""

    status: Literal["healthy", "degraded"] = Field(description="degraded: a message would have to wait")
    api_version: str
    version: str = Field(description="the same as api_version")
    model: ServedModel | None = Field(description="null while no worker is alive")
    models_loaded: dict[str, bool]
    timestamp: str


class Check(BaseModel):
    ok: bool
    reason: str | None = Field(description="why not; null when ok")


class ReadyResponse(BaseModel):
    ready: bool
    checks: dict[str, Check] = Field(description="broker, backend, worker")


class StatsResponse(BaseModel):
    """Batching statistics of the live workers, added up."""

    workers: list[WorkerStatus] = Field(description="each live worker's status")
    rate: float = Field(description="messages per second, lately")
    counters: dict[str, float] = Field(description="sums since each worker's start")
    batch: dict[str, float] = Field(description="mean_size: messages per batch, over all workers")
    answers: list[dict[str, Any]] = Field(
        description="what the live workers answered since their starts, by version of the model: messages, labels,"
        " mean_confidence, pieces, unknown_pieces, unknown_share"
    )
    weeks: list[dict[str, Any]] = Field(description="the same by ISO week (UTC), the last 26, of all workers")
    queue: dict[str, int] = Field(description="messages waiting: per lane in the broker, buffered in workers")
    degraded: dict[str, int] = Field(
        description="answers of this web process that let a message pass unseen, by reason"
    )
