"""A classifier that sleeps like an accelerator, to measure the queue and test the worker without weights."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from urllib.parse import parse_qs

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.base import ModelInfo
from sluice.worker.model.labels import LABELS
from sluice.worker.model.thresholds import Threshold, read_thresholds

SCHEME = "simulated:"
CHARS_PER_TOKEN = 4
HASH_BITS = 48
SOUND, POISONED, LOST, SLOW = 0, 1, 2, 3


@dataclass(frozen=True)
class SimulatedOptions:
    """What `simulated:?name=value&…` sets. Times are what a real device would take."""

    batch_ms: float = 3.0
    """Milliseconds each forward costs."""
    message_us: float = 20.0
    """Microseconds each message adds."""
    load_ms: float = 0.0
    """Milliseconds that loading takes."""
    prepare_ms: float = 0.0
    """Milliseconds that encoding takes, of one message or of all of a call together, as a pool of decoders would."""
    fail_on: tuple[str, ...] = ()
    """`text_hash` values of messages whose batch fails."""
    poison: str = ""
    """A word; a batch with a message containing it fails."""
    fatal: str = ""
    """A word; a batch with a message containing it loses the device."""
    slow: str = ""
    """A word; a batch with a message containing it takes `slow_ms` longer."""
    slow_ms: float = 1000.0
    """Milliseconds that `slow` adds."""
    oom_over: int = 0
    """Batches of more messages run out of memory; 0 is no limit."""
    flag: float | None = None
    """From which probability on spam and phishing are flagged; without `flag` and `block` it has no thresholds."""
    block: float | None = None
    """From which probability on they are blocked."""


class SimulatedOutOfMemory(RuntimeError):
    """Stands for a device's out-of-memory error."""


class SimulatedDeviceLost(RuntimeError):
    """Stands for a device that answers nothing any more."""


def text_hash(text: str) -> str:
    """The 12 hexadecimal digits by which `fail_on` names a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[: HASH_BITS // 4]


def parse_options(spec: str) -> SimulatedOptions:
    """Reads `simulated:?batch_ms=3&message_us=20`.

    Raises ModelUnavailable for an unknown name or a value that is no number.
    """
    query = spec.removeprefix(SCHEME).removeprefix("?")
    known = {field.name: field for field in fields(SimulatedOptions)}
    values: dict[str, object] = {}
    for name, given in parse_qs(query, keep_blank_values=True).items():
        if name not in known:
            raise ModelUnavailable(f"SLUICE_MODEL: {name!r} is no option of {SCHEME} (use {', '.join(known)}).")
        try:
            values[name] = _typed(name, given)
        except ValueError:
            raise ModelUnavailable(f"SLUICE_MODEL: {name}={given[-1]!r} is not a number that is 0 or more.") from None
    if "flag" in values or "block" in values:
        limits = {name: values[name] for name in ("flag", "block") if name in values}
        read_thresholds({"spam": limits, "phishing": limits}, LABELS, "SLUICE_MODEL")
    return SimulatedOptions(**values)  # type: ignore[arg-type]


def _typed(name: str, given: list[str]) -> object:
    if name == "fail_on":
        return tuple(given)
    if name in ("poison", "fatal", "slow"):
        return given[-1]
    number = int(given[-1]) if name == "oom_over" else float(given[-1])
    if not 0 <= number < float("inf"):
        raise ValueError(number)
    return number


class SimulatedClassifier:
    """Sleeps `batch_ms` + `message_us` * messages a forward; its answers depend on the text alone.

    The first id of a message is a hash of its text, the second says whether it is to fail or to take long.
    """

    labels: tuple[str, ...] = LABELS
    device = "cpu"
    precision = "float32"
    padded = False
    unknown_id: int | None = None

    def __init__(self, options: SimulatedOptions | None = None, max_text_length: int = 96) -> None:
        self.options = options or SimulatedOptions()
        self.max_text_length = max_text_length
        given = Threshold(self.options.flag, self.options.block)
        thresholds = {"spam": given, "phishing": given} if given != Threshold() else None
        self.info = ModelInfo("simulated", "1", "sleep", "Sluice", "never", thresholds=thresholds)
        self._fail_on = frozenset(self.options.fail_on)
        time.sleep(self.options.load_ms / 1000)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """About one id for every four characters, at least two and at most `max_text_length`."""
        if texts:
            time.sleep(self.options.prepare_ms / 1000)
        return [self._encode_one(text) for text in texts]

    def _encode_one(self, text: str) -> list[int]:
        digest = text_hash(text)
        length = max(2, min(self.max_text_length, 2 + len(text) // CHARS_PER_TOKEN))
        return [int(digest, 16), self._fate(text, digest)] + [0] * (length - 2)

    def _fate(self, text: str, digest: str) -> int:
        if self.options.fatal and self.options.fatal in text:
            return LOST
        if digest in self._fail_on or (self.options.poison and self.options.poison in text):
            return POISONED
        return SLOW if self.options.slow and self.options.slow in text else SOUND

    def forward(self, batch: Sequence[list[int]]) -> list[list[float]]:
        """Sleeps, then answers with probabilities shaped (messages, 3).

        Raises RuntimeError where the options ask for it.
        """
        if not batch:
            return []
        if 0 < self.options.oom_over < len(batch):
            raise SimulatedOutOfMemory(f"simulated: {len(batch)} messages do not fit")
        time.sleep(self.options.batch_ms / 1000 + self.options.message_us * len(batch) / 1_000_000)
        fates = {ids[1] for ids in batch}
        if SLOW in fates:
            time.sleep(self.options.slow_ms / 1000)
        if LOST in fates:
            raise SimulatedDeviceLost("simulated: the device is lost")
        if POISONED in fates:
            raise RuntimeError("simulated: a message in the batch is poisoned")
        return [_probabilities(ids[0]) for ids in batch]

    def warm_up(self, max_batch: int) -> None:
        """Needs none, but pays for one full batch as a real model would."""
        self.forward(self.encode([""] * max(1, min(max_batch, self.options.oom_over or max_batch))))

    def is_out_of_memory(self, exc: BaseException) -> bool:
        """Whether `oom_over` raised it."""
        return isinstance(exc, SimulatedOutOfMemory)

    def is_fatal(self, exc: BaseException) -> bool:
        """Whether `fatal` raised it."""
        return isinstance(exc, SimulatedDeviceLost)


def _probabilities(digest: int) -> list[float]:
    """One winner chosen by the hash, with 0.50 to 0.99; the others share the rest."""
    winner = digest % 3
    top = 0.5 + (digest // 3 % 50) / 100
    return [top if label == winner else (1 - top) / 2 for label in range(3)]
