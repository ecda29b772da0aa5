"""What requests and answers look like: the source of validation and of the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from sluice.config.settings import Settings

MAX_ID_CHARS = 200
MAX_MODEL_CHARS = 200

ArchiveFormat = Literal[
    "csv", "jsonl", "parquet", "arrow", "backup-xml", "sms-ie", "fossify", "imessage", "whatsapp", "sqlite", "text"
]
#: Delimiters that have a name, as `sluice backfill` takes them.
DELIMITERS = frozenset({"tab", "comma", "semicolon", "pipe", "\\t"})
Verdict = Literal["allow", "flag", "block"]
VERDICT = "what to do; there if `verdict` was sent or the server always says it; null if the model has no thresholds"
RULE = "the rule that decided: label, >= or <, threshold; in brackets behind it the policy, if that mattered"
ColumnName = Annotated[str, Field(max_length=200)]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "must not be empty or blank")
    return text


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError):
        raise PydanticCustomError("encoding", "is not the name of a text encoding") from None
    return name


def _delimiter(name: str) -> str:
    if name.lower() not in DELIMITERS and (len(name) != 1 or name in "\r\n\"'"):
        raise PydanticCustomError("delimiter", "must be one character, or tab")
    return name


class Body(BaseModel):
    """A request body: unknown fields are refused, types are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class PredictRequest(Body):
    """One message to classify."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "Your parcel is held. Pay 1.99 at http://post.example"}]}
    )

    text: Annotated[str, AfterValidator(_not_blank), Field(description="the message; not blank", min_length=1)]
    model: Annotated[str, Field(max_length=MAX_MODEL_CHARS)] | None = Field(
        None, description="name of a model that is being served, or `ots-mbert` for whichever is"
    )
    scores: bool = Field(False, description="answer with the probability of every label")
    verdict: bool = Field(False, description="say what to do, allow, flag or block, and by which rule")


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


class ArchiveRequest(Body):
    """The fields of a form that says how to read an archive and what to make of it; its files come beside them."""

    output: Literal["csv", "jsonl", "parquet", "sqlite"] = Field("csv", description="format of the results")
    format: ArchiveFormat | None = Field(None, description="what the files are; found out from their content if absent")
    text_column: ColumnName | None = Field(
        None, description="column of the texts; `text`, `message`, `body`, `sms` or `content` if absent"
    )
    sender_column: ColumnName | None = Field(None, description="column of the senders, for the report")
    time_column: ColumnName | None = Field(None, description="column of the times, for the report")
    encoding: Annotated[str, Field(max_length=40), AfterValidator(_encoding)] | None = Field(
        None, description="of CSV, such as `utf-8` or `windows-1252`; found out if absent"
    )
    delimiter: Annotated[str, AfterValidator(_delimiter)] | None = Field(
        None, description="of CSV, one character or `tab`; found out if absent"
    )
    date_order: Literal["dmy", "mdy", "ymd"] | None = Field(
        None, description="of dates in WhatsApp chats; found out if absent"
    )
    scores: Literal["true", "false"] = Field("false", description="one more column per label, with its probability")
    verdict: Literal["true", "false"] = Field(
        "false", description="two more columns: what to do, allow, flag or block, and the rule that decided"
    )
    report: Literal["true", "false"] = Field("false", description="make a page with pictures too")

    def read(self) -> dict[str, str]:
        """What is said about reading the files."""
        given = self.model_dump(exclude_none=True)
        return {name: value for name, value in given.items() if name not in ("output", "scores", "verdict", "report")}


@dataclass(frozen=True, slots=True)
class Requests:
    """The request models with the limits of the settings in them."""

    predict: type[PredictRequest]
    job: type[JobRequest]


def requests_for(settings: Settings) -> Requests:
    """Request models for these settings: lengths are checked where types are, and shown in the document."""
    text = Annotated[str, Field(min_length=1, max_length=settings.max_text_chars), AfterValidator(_not_blank)]
    limit = settings.max_job_messages
    texts = PredictRequest.model_fields["text"].description
    job = JobRequest.model_fields
    predict = create_model("PredictRequest", __base__=PredictRequest, text=(text, Field(description=texts)))
    messages = create_model(
        "JobRequest",
        __base__=JobRequest,
        texts=(
            list[str] | None,
            Field(None, min_length=1, max_length=limit, description=job["texts"].description),
        ),
        messages=(
            list[JobMessage] | None,
            Field(None, min_length=1, max_length=limit, description=job["messages"].description),
        ),
    )
    return Requests(predict, messages)


class ModelInfo(BaseModel):
    name: str = Field(examples=["sms-mini"])
    version: str = Field(examples=["1"], description="version of the weights")
    architecture: str = Field(examples=["bert"])
    author: str
    last_training: str = Field(examples=["2026-11-20"])


class PredictResponse(BaseModel):
    """The answer to one message, in OpenTextShield's shape."""

    model_config = ConfigDict(
        protected_namespaces=(),
        json_schema_extra={
            "examples": [
                {
                    "label": "phishing",
                    "probability": 0.981,
                    "processing_time": 0.012,
                    "model_info": {
                        "name": "sms-mini",
                        "version": "1",
                        "architecture": "bert",
                        "author": "Sluice",
                        "last_training": "2026-11-20",
                    },
                }
            ]
        },
    )

    label: str = Field(description="ham, spam or phishing with the shipped model")
    probability: float = Field(ge=0, le=1, description="of this label")
    processing_time: float = Field(ge=0, description="seconds from the request's arrival to its answer")
    model_info: ModelInfo
    scores: dict[str, float] | None = Field(None, description="label → its probability; there if `scores` was sent")
    verdict: Verdict | None = Field(None, description=VERDICT)
    rule: str | None = Field(None, description=RULE, examples=["phishing >= 0.9"])


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


class Failure(BaseModel):
    code: str = Field(examples=["invalid_input"])
    message: str


class ArchiveState(BaseModel):
    """How far an archive is: the fields of every job, and those that only archives have."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "archive-0b7f3f2e6f1d4c0e9a53c1f4d2b8a7e6",
                    "state": "running",
                    "total": None,
                    "done": 512_000,
                    "failed": 3,
                    "created_at": "2026-11-21T03:00:00.000000Z",
                    "finished_at": None,
                    "progress": 0.4912,
                    "rows_per_s": 8412.5,
                    "labels": {"ham": 401_211, "phishing": 30_786, "spam": 80_000},
                    "saved": 158_720,
                    "note": None,
                    "notes": [],
                    "error": None,
                    "results": None,
                    "report": None,
                }
            ]
        }
    )

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"] = Field(
        description="`failed`: there are no results, `error` says why; rows that failed do not make it so"
    )
    total: int | None = Field(description="rows; null until all of them have been read")
    done: int = Field(description="rows that are written, those that failed included")
    failed: int = Field(description="written rows with an error in place of a label")
    created_at: str = Field(description="ISO 8601, UTC")
    finished_at: str | None = Field(description="ISO 8601, UTC; the archive is deleted some time after it")
    progress: float = Field(ge=0, le=1, description="share of the files that is read, classified and written")
    rows_per_s: float = Field(ge=0, description="rows written per second")
    labels: dict[str, int] = Field(description="written rows by label")
    saved: int = Field(description="rows answered by an identical text of the same archive")
    note: str | None = Field(description="what it waits for, or what is missing at the end")
    notes: list[str] = Field(description="what was left out or assumed, such as files without messages")
    error: Failure | None = Field(description="why it failed")
    results: str | None = Field(description="where the results are, when it is done")
    report: str | None = Field(description="where the report is, when there is one")


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


class ErrorDetail(BaseModel):
    error: str = Field(description="stable code", examples=["invalid_input"])
    message: str = Field(description="one sentence for a person")
    details: dict[str, Any] = Field(description="machine-readable facts: `field`, `limit`, `problems`, …")
    timestamp: str = Field(description="ISO 8601, UTC")


class ErrorResponse(BaseModel):
    """Every error, in OpenTextShield's shape."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "detail": {
                        "error": "invalid_input",
                        "message": "text must not be empty or blank",
                        "details": {
                            "field": "text",
                            "limit": 1,
                            "problems": [{"field": "text", "message": "must not be empty or blank", "limit": 1}],
                        },
                        "timestamp": "2026-11-21T03:00:00.000000Z",
                    }
                }
            ]
        }
    )

    detail: ErrorDetail


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

    workers: list[dict[str, Any]] = Field(description="each live worker's status")
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
