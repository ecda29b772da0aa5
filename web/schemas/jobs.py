"""``/jobs``: many messages, how far they are, and their results."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from sluice.tasks.envelope import MAX_ID_CHARS
from sluice.web.schemas.archives import ArchiveState
from sluice.web.schemas.body import Body
from sluice.web.schemas.error import Failure
from sluice.web.schemas.verdict import RULE, VERDICT, Verdict


class JobMessage(Body):
    """One message of a job."""

    id: str = Field(
        min_length=1, max_length=MAX_ID_CHARS, description="comes back with the result; differs within the job"
    )
    text: str = Field(description="the message; a blank or too long one becomes an error entry")


class JobRequest(Body):
    """Messages to classify together; either `texts` or `messages`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"texts": ["See you at 8?", "You won! Claim at http://prize.example"]},
                {"messages": [{"id": "m1", "text": "See you at 8?"}], "lane": "bulk"},
            ]
        }
    )

    texts: list[str] | None = Field(None, min_length=1, description="texts; their ids are their indices")
    messages: list[JobMessage] | None = Field(None, min_length=1, description="texts with ids of your own")
    lane: Literal["interactive", "bulk"] | None = Field(
        None, description="interactive up to 256 messages, bulk beyond, unless set"
    )
    scores: bool = Field(False, description="every result has the probability of every label")
    verdict: bool = Field(False, description="every result says what to do, allow, flag or block, and by which rule")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.texts is None) == (self.messages is None):
            raise PydanticCustomError("one_of", "give either texts or messages")
        return self


class JobState(BaseModel):
    """How far a job is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "5e0ce7a1-0c56-4e55-8f2c-2f0d3f9f8f11",
                    "state": "running",
                    "total": 1000,
                    "done": 512,
                    "failed": 1,
                    "created_at": "2026-11-21T03:00:00.000000Z",
                    "finished_at": None,
                }
            ]
        }
    )

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"] = Field(
        description="`failed` only when every message failed"
    )
    total: int = Field(description="messages of the job")
    done: int = Field(description="messages that are finished, those that failed included; `total` at the end")
    failed: int = Field(description="finished messages with an error, those of a cancelled job included")
    created_at: str = Field(description="ISO 8601, UTC")
    finished_at: str | None = Field(description="ISO 8601, UTC; null until the last message is finished")


class ResultEntry(BaseModel):
    """The outcome of one message: a label, or an error of its own."""

    id: str = Field(description="the message's id, or its index")
    label: str | None = Field(None, description="absent when there is an error")
    probability: float | None = None
    model: str | None = None
    version: str | None = None
    scores: dict[str, float] | None = Field(None, description="label → its probability; there if `scores` was sent")
    verdict: Verdict | None = Field(None, description=VERDICT)
    rule: str | None = Field(None, description=RULE, examples=["phishing >= 0.9"])
    error: Failure | None = Field(None, description="absent when there is a label")


class JobResults(BaseModel):
    """A page of the finished beginning of a job, in input order."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    total: int
    done: int
    failed: int
    offset: int = Field(description="index of the first entry of this page")
    results: list[ResultEntry]
    next: str | None = Field(description="link to the next page; null after the job's last message")


class JobList(BaseModel):
    """A page of the caller's jobs, newest first."""

    jobs: list[JobState | ArchiveState]
    next: str | None = Field(description="link to the next page; null after the oldest job")
