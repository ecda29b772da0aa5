"""What the worker's threads hand to each other. Who may touch what is said at each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sluice.tasks.envelope import Message, log_safe
from sluice.tasks.errors import SluiceError
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.wire.entry import Entry


@dataclass(slots=True, eq=False)
class InFlightEnvelope:
    """One envelope on its way through the worker.

    ``redelivered``: some worker had it before; ``dead``: so often that the broker gave it up.

    The main thread makes it and gives it away. From then on the batcher alone writes ``started``, the result writer
    alone ``answers`` and ``left``.
    """

    id: str
    """Celery task id."""
    messages: list[Message]
    single: bool
    bulk: bool
    arrived: float
    generation: int
    """Of the broker connection that it came over."""
    handle: object = None
    """What the main thread acknowledges it by; nobody else looks into it."""
    group: str | None = None
    group_index: int | None = None
    parent_id: str | None = None
    root_id: str | None = None
    ignore_result: bool = False
    embedded: Mapping[str, object] = field(default_factory=dict)
    """What its sender hung on the result: callbacks, errbacks, chain, chord."""
    expires: float | None = None
    """Unix time from which on it must not run any more."""
    due: float | None = None
    """When it may run, if not now, on the hub's clock."""
    reply_to: str | None = None
    more: int = 0
    redelivered: bool = False
    dead: bool = False
    refused: SluiceError | None = None
    told: bool = False
    """Whether the log has said why it does not run."""
    options: PredictionOptions = LABEL_ONLY
    """What its entries hold besides label and probability."""
    counted: int = 0
    """Messages that the ledger has of it; 0: it is not in there."""
    answers: list[Entry | None] = field(default_factory=list)
    left: int = 0
    started: float | None = None

    def __post_init__(self) -> None:
        self.left = len(self.messages)
        self.answers = [None] * self.left

    @property
    def shown_id(self) -> str:
        """The id as a log line may show it."""
        return log_safe(self.id)


MessageRef = tuple[InFlightEnvelope, int]
"""One message: its envelope and its position there."""


@dataclass(slots=True, eq=False)
class EncodedText:
    """One tokenised text, and the messages that wait for its answer: several, if they read alike.

    The batcher makes and changes it. From the moment it is in a batch, ``ids`` and ``refs`` stay as they are, and the
    model thread reads them; messages that join later wait in ``late``, which is the batcher's alone.
    """

    ids: list[int]
    refs: list[MessageRef]
    bulk: bool
    arrived: float
    key: tuple[int, ...] | None = None
    """What equal texts have in common; None where nothing is shared."""
    cache_key: bytes | None = None
    """Where the answer is to be kept; None for nowhere."""
    in_batch: bool = False
    late: list[MessageRef] | None = None

    @property
    def tokens(self) -> int:
        return len(self.ids)


Answer = list[float] | SluiceError
"""Probabilities shaped (labels,), or why there are none."""


# To the batcher thread


@dataclass(slots=True)
class ModelFree:
    """The model has finished ``batch``; ``limit`` is set when it must be given smaller ones from now on."""

    batch: list[EncodedText]
    answers: list[Answer]
    limit: int | None = None


@dataclass(slots=True)
class Encoded:
    """The texts that the encoder was given last, as token ids or why not, and the seconds it took."""

    rows: Sequence[list[int] | SluiceError]
    took_s: float


@dataclass(slots=True)
class LookedUp:
    """What the result cache knows of these texts: for each where its answer belongs, and the answer or None."""

    texts: list[EncodedText]
    keys: list[bytes]
    answers: list[list[float] | None]


@dataclass(slots=True)
class NewConnection:
    """The broker connection was made anew: what came over an older one will be delivered again."""

    generation: int


@dataclass(slots=True)
class NotStored:
    """These envelopes were delivered before, but no result of theirs is stored: they run."""

    envelopes: list[InFlightEnvelope]


@dataclass(slots=True)
class Trial:
    """Messages ``first`` to ``end`` of this envelope are to run with nothing else in the model."""

    envelope: InFlightEnvelope
    first: int
    end: int


@dataclass(slots=True)
class Begin:
    """The trial may run now."""

    trial: Trial


@dataclass(slots=True)
class Drain:
    """Finish the envelopes that the model has begun, forget the others, then end."""


@dataclass(slots=True)
class Abort:
    """End at once; nobody waits for what is not answered yet."""


SchedulerNote = (
    InFlightEnvelope | ModelFree | Encoded | LookedUp | NotStored | Trial | Begin | NewConnection | Drain | Abort
)
"""What the batcher thread is told."""


# Out of the engine


Origin = Literal["model", "alike", "cache", "refused"]
"""Where answers come from: a forward pass, that of a text which reads alike, the cache, or no model at all."""


@dataclass(slots=True)
class Outcome:
    """Answers, and for each the messages that get it.

    ``model_s`` is the time in the model, seconds; ``tokens`` counts real tokens; ``cache_keys`` says where each answer
    is to be kept; ``pieces`` and ``unknown`` count those that stand for a part of a text, and for an unknown one.
    """

    refs: list[list[MessageRef]]
    answers: list[Answer]
    origin: Origin = "model"
    model_s: float = 0.0
    tokens: int = 0
    cache_keys: list[bytes | None] | None = None
    pieces: int = 0
    unknown: int = 0


@dataclass(slots=True)
class Dropped:
    """An envelope that does not run: revoked, expired, unreadable."""

    envelope: InFlightEnvelope
    error: SluiceError


@dataclass(slots=True)
class Check:
    """An envelope that was delivered before: is its result stored already?"""

    envelope: InFlightEnvelope


@dataclass(slots=True)
class Alone:
    """Nothing is in the model, and nothing will be until this trial has run."""

    trial: Trial


@dataclass(slots=True)
class Started:
    """The first message of each of these envelopes enters the model."""

    envelopes: list[InFlightEnvelope]


@dataclass(slots=True)
class Ended:
    """The engine has ended, nothing more comes out of it."""


EngineNote = Outcome | Dropped | Check | Alone | Started | Ended
"""What comes out of the engine."""


# To the result writer


@dataclass(slots=True)
class ReportStatus:
    """Write the worker's status now, not when it is due."""


WriterNote = EngineNote | ReportStatus
"""What the result writer is told."""


# To the main thread


@dataclass(slots=True)
class Finished:
    """The envelope's result is stored: it can be acknowledged.

    ``state`` is Celery's; ``summary`` is what may be shown of the result (label counts, no text).
    """

    envelope: InFlightEnvelope
    state: str
    summary: str
    runtime_s: float
    error: SluiceError | None = None


HubNote = Started | Finished
"""What the main thread is told."""
