"""``/archives``: the fields of the form, and how far an archive is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from sluice.backfill.formats.table import NAMES
from sluice.backfill.outputs.table import MEDIA_TYPES
from sluice.web.schemas.body import Body
from sluice.web.schemas.error import Failure

if TYPE_CHECKING:
    ArchiveFormat = str
    ResultFormat = str
else:
    ArchiveFormat = Literal[NAMES]
    ResultFormat = Literal[tuple(MEDIA_TYPES)]
#: Delimiters that have a name, as `sluice backfill` takes them.
DELIMITERS = frozenset({"tab", "comma", "semicolon", "pipe", "\\t"})
ColumnName = Annotated[str, Field(max_length=200)]


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


class ArchiveRequest(Body):
    """The fields of a form that says how to read an archive and what to make of it; its files come beside them."""

    output: ResultFormat = Field("csv", description="format of the results")
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
