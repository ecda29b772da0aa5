"""What the scheduler asks for. Whoever carries it out does so in order, and tells the scheduler what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.worker.engine.mail import EncodedText, EngineNote, SchedulerNote


@dataclass(slots=True)
class EncodeHere:
    """Tokenise these texts now, the model is idle; answered with ``Encoded`` before anything else is told."""

    texts: list[str]


@dataclass(slots=True)
class EncodeAside:
    """Tokenise these texts beside the model; answered with ``Encoded`` some time."""

    texts: list[str]


@dataclass(slots=True)
class LookUp:
    """Ask the result cache for these texts' answers; answered with ``LookedUp`` some time."""

    texts: list[EncodedText]


@dataclass(slots=True)
class RunBatch:
    """Give the model a batch; answered with ``ModelFree`` when it is done."""

    batch: list[EncodedText]


@dataclass(slots=True)
class TakeBack:
    """Take back the batches that the model has not begun; answered at once, with ``TakenBack`` and then ``Recut``."""


@dataclass(slots=True)
class Emit:
    """Hand this out of the engine."""

    note: EngineNote


@dataclass(slots=True)
class End:
    """There is nothing left to do, and nothing more will be asked for."""


Command = EncodeHere | EncodeAside | LookUp | RunBatch | TakeBack | Emit | End


@dataclass(slots=True)
class TakenBack:
    """These batches do not run, oldest first."""

    batches: list[list[EncodedText]]


@dataclass(slots=True)
class Recut:
    """What was cut anew from the batches taken back is with the model; the time tells how long that took."""


Event = SchedulerNote | TakenBack | Recut
