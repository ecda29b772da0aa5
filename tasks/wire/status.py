"""A worker's status: what other processes may know of it, and ``/stats`` shows.

The worker writes it every two seconds, so pydantic's convenience costs nothing. A new field is declared here, with a
default for workers that do not say it, and filled in ``sluice.worker.pipeline``; ``/stats`` and its description in the
OpenAPI document follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sluice.tasks.wire.release import FIRST, WIRE

Text = Annotated[str, BeforeValidator(lambda given: "" if given is None else str(given))]


class Part(BaseModel):
    """A part of a status: a field that this release does not know is overlooked."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class ServedModel(Part):
    """The model that the worker has loaded."""

    name: Text = ""
    version: Text = Field(default="", description="of the weights")
    architecture: Text = ""
    author: Text = ""
    last_training: Text = ""

    @property
    def key(self) -> tuple[str, str]:
        """Name and version."""
        return self.name, self.version


class Verdicts(Part):
    """What decides about verdicts."""

    policy: str = ""
    thresholds: dict[str, dict[str, float | None]] = Field(
        default={}, description="label → `flag` and `block`, from when on"
    )


class Cost(Part):
    """The time of a batch, as it was fitted at warm-up: `batch_ms + token_us · tokens`."""

    batch_ms: float = 0.0
    token_us: float = 0.0


class FullBatch(Part):
    """A full batch and its time."""

    messages: int = 0
    seconds: float = 0.0


class Held(Part):
    """What the worker has taken and not finished."""

    buffered: int = Field(default=0, description="messages that wait for the model")
    held: int = Field(default=0, description="envelopes that are not acknowledged")


class CascadeCounts(Part):
    """Messages of a cascade."""

    answered: int = 0
    sent_on: int = Field(default=0, description="those that needed its second model")


class Counters(Part):
    """Sums since the worker's start."""

    messages: int = Field(default=0, description="answered; those refused before the model are not among them")
    duplicates: int = Field(default=0, description="of these, answered as a text that reads alike")
    cached: int = Field(default=0, description="of these, answered from the result cache")
    batches: int = 0
    envelopes: int = 0
    errors: int = Field(default=0, description="messages without a label")
    revoked: int = Field(default=0, description="envelopes")
    failed_envelopes: int = 0
    tokens: int = 0


class AnswerCounts(Part):
    """What the model answered since the worker's start."""

    messages: int = Field(default=0, description="with a label")
    labels: dict[str, int] = {}
    confidence: float = Field(default=0.0, description="sum of the probabilities of these labels")
    pieces: int = Field(default=0, description="of the texts that it computed")
    unknown_pieces: int = 0


class RecentBatches(Part):
    """Sizes (messages) and times of the last batches."""

    mean_size: float = 0
    p50_size: float = 0
    max_size: int = 0
    mean_ms: float = 0


class WorkerStatus(Part):
    """One worker. What a later release says besides is kept, and shown as it stands."""

    model_config = ConfigDict(extra="allow")

    hostname: str = ""
    pid: int = 0
    state: str = Field(default="waiting", description="`ready` while messages are being taken, else `waiting`")
    model: ServedModel = ServedModel()
    labels: list[str] = []
    verdicts: Verdicts | None = Field(default=None, description="null if the model has no thresholds")
    device: str = ""
    precision: str = ""
    batching: str = Field(default="", description="`dynamic`, `static` or `none`")
    cost: Cost = Cost()
    batch_tokens: int = Field(default=0, description="most tokens in a batch; 0: no limit")
    full_batch: FullBatch | None = None
    queue: Held = Held()
    at: float = Field(default=0.0, description="Unix seconds of this status")
    cascade: CascadeCounts | None = Field(default=None, description="absent unless the model is a cascade")
    counters: Counters = Counters()
    answers: AnswerCounts | None = None
    batch: RecentBatches = RecentBatches()
    rate: float = Field(default=0.0, description="messages per second that the model reached lately while it was busy")
    busy_s: float = Field(default=0.0, description="seconds in the model since the start")
    since: float = Field(default=0.0, description="Unix seconds of the start")
    wire: int = Field(default=WIRE, description="number of the forms that this worker writes and reads")

    @property
    def ready(self) -> bool:
        """Whether it takes messages."""
        return self.state == "ready"

    @property
    def knows_verdicts(self) -> bool:
        """Whether it is of a release that has verdicts; its model may give none all the same."""
        return "verdicts" in self.model_fields_set

    def to_json(self) -> dict[str, object]:
        """As JSON-ready data."""
        return self.model_dump(exclude=None if self.cascade else {"cascade"})

    def said(self) -> dict[str, object]:
        """As JSON-ready data what the worker itself has said, with no defaults for what its release does not know."""
        return self.model_dump(exclude_unset=True) | {"model": self.model.model_dump()}

    def to_wire(self) -> bytes:
        """The value of the worker's key."""
        return orjson.dumps(self.to_json())

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """A status of any release; ValueError: it is none."""
        return cls.model_validate({"wire": FIRST, **data})

    @classmethod
    def from_wire(cls, packed: bytes) -> Self:
        """Read a worker's key.

        Raises:
            ValueError: it holds no status.
        """
        return cls.from_json(orjson.loads(packed))
