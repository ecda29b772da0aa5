"""The result store: Celery's own key format, one pipeline per batch.

Celery writes each result with a GET and a transaction of SETEX and PUBLISH. Here the SET and PUBLISH of all envelopes
of a batch, the replies to waiting web processes and the progress of jobs go in one round trip. The guard that the GET
gave (a repeated run must not overwrite a success) is kept where it can matter: for redelivered envelopes, which are
looked up before they run. What hangs on a result (links, chains, chords) is started in ``followups.py``.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import redis
from celery import Celery
from celery.utils.log import get_logger
from redis.client import Pipeline

from sluice.tasks import keys, ledger
from sluice.tasks.envelope import log_safe
from sluice.tasks.errors import SluiceError
from sluice.tasks.outage import is_outage
from sluice.tasks.replies import REPLY_TTL_S
from sluice.tasks.results import WORKER_TTL_S
from sluice.tasks.wire.entry import Entry, is_prediction, kind_of
from sluice.tasks.wire.progress import EnvelopeProgress
from sluice.tasks.wire.reply import IndexedEntries, pack_reply
from sluice.tasks.wire.resultmeta import StoredError, StoredResult, pack_meta
from sluice.tasks.wire.status import WorkerStatus
from sluice.worker.delivery.quarantine import Piece
from sluice.worker.engine.mail import InFlightEnvelope

log = get_logger(__name__)

#: SET and PUBLISH of many results as one command. For results of one message each, what a command costs here (packing
#: it, reading its answer) is most of what this thread does.
STORE_SCRIPT = """
for i, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[i + 1], 'EX', ARGV[1])
  redis.call('PUBLISH', key, ARGV[i + 1])
end
"""
#: The same for the result cache, to which nobody listens.
CACHE_SCRIPT = """
for i, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[i + 1], 'EX', ARGV[1])
end
"""
#: In the hash of an envelope's trials: how often it came back.
SEEN = "seen"
#: Results in one call of a script: Redis does nothing else meanwhile, for about a millisecond.
SCRIPT_RESULTS = 256

#: Keys that cannot be written, of which each is told once.
MOST_SKIPPED = 1000


@dataclass(slots=True)
class EnvelopeResult:
    """What is to be stored for one envelope that is complete."""

    envelope: InFlightEnvelope
    state: str
    result: list[Entry] | Entry | None = None
    error: SluiceError | None = None

    def entries(self) -> list[Entry]:
        """Those of a call that succeeded."""
        if self.result is None:
            return []
        return self.result if isinstance(self.result, list) else [self.result]

    def counts(self) -> tuple[int, int]:
        """Messages with a label and messages with an error."""
        messages = len(self.envelope.messages)
        if self.state != "SUCCESS":
            return 0, messages
        wrong = sum(not is_prediction(entry) for entry in self.entries())
        return messages - wrong, wrong

    def summary(self) -> str:
        """The result as events and logs may show it: counts, no text."""
        if self.state != "SUCCESS":
            return self.error.code if self.error else self.state.lower()
        counts = Counter(map(kind_of, self.entries()))
        return ", ".join(f"{count} {label}" for label, count in counts.most_common())


@dataclass(slots=True)
class PendingReplies:
    """Replies for waiting processes, by address."""

    by_address: dict[str, dict[str, IndexedEntries]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_address)

    def add(self, envelope: InFlightEnvelope, index: int, entry: Entry) -> None:
        """Note an answer, if somebody waits for it."""
        if envelope.reply_to:
            self.by_address.setdefault(envelope.reply_to, {}).setdefault(envelope.id, []).append((index, entry))


class ResultStore:
    """Writes results, replies, progress and the worker's status. One thread's.

    Args:
        app: the Celery app; its backend gives key names and encodings.
        client: Redis client of the result backend.
        hostname: Celery node name of this worker.
        ttl_s: seconds results are kept.
    """

    def __init__(self, app: Celery, client: redis.Redis, hostname: str, ttl_s: int) -> None:
        self._app = app
        self._backend = app.backend
        self._client = client
        self._hostname = hostname
        self._ttl_s = ttl_s
        self._key_prefix = self._backend.get_key_for_task("-")[:-1]
        self._scripts = True
        self._skipped: set[str] = set()

    def write(
        self,
        done: Sequence[EnvelopeResult],
        replies: PendingReplies,
        started: Sequence[InFlightEnvelope],
        cached: Sequence[tuple[bytes, bytes]] = (),
        cache_ttl_s: int = 0,
    ) -> None:
        """Store and reply in one round trip.

        Args:
            cached: keys and values for the result cache, kept for ``cache_ttl_s`` seconds.

        Raises:
            redis.RedisError: a server is away: nothing or a part was written, and writing again is safe.
        """
        pipe = self._client.pipeline(transaction=False)
        for envelope in started:
            pipe.set(self._key(envelope), self._meta(envelope, "STARTED", None, None), ex=self._ttl_s, nx=True)
        self._add_results(pipe, done)
        self._add_values(pipe, CACHE_SCRIPT, [name for name, _ in cached], [value for _, value in cached], cache_ttl_s)
        others = len(pipe)  # from here on keys that a client has named: they may hold anything
        names: list[str] = []
        for stored in done:
            if group := stored.envelope.group:
                names += [self._add_progress(pipe, group, stored)] * 2
        names += [keys.LEDGER] * ledger.take_off(pipe, map(_counted, done))
        for address, reply in replies.by_address.items():
            names += [keys.reply(address)] * 2
            pipe.rpush(keys.reply(address), pack_reply(reply))
            pipe.expire(keys.reply(address), REPLY_TTL_S)
        outcomes = pipe.execute(raise_on_error=False)
        if self._scripts and any(map(_no_script, outcomes[:others])):
            self._scripts = False  # this user may run no scripts: one command after the other, then
            self.write(done, replies, started, cached, cache_ttl_s)
        else:
            self._check(["a result"] * others + names, outcomes)

    def _check(self, names: Sequence[str], outcomes: Sequence[object]) -> None:
        """Raise what makes writing again worth while; a key that cannot be written is left, and told once."""
        for name, outcome in zip(names, outcomes, strict=True):
            if not isinstance(outcome, redis.RedisError):
                continue
            if is_outage(outcome):
                raise outcome
            if name not in self._skipped and len(self._skipped) < MOST_SKIPPED:
                self._skipped.add(name)
                log.warning("Redis key %s cannot be written, and is left as it is: %s", log_safe(name), outcome)

    def redelivered(
        self, envelopes: Sequence[InFlightEnvelope]
    ) -> list[tuple[EnvelopeResult | None, bool, dict[Piece, int]]]:
        """For each envelope what is stored of it, if that is final; whether it has come back for the first time; and
        how often a worker ended with which part of it.
        """
        pipe = self._client.pipeline(transaction=False)
        for envelope in envelopes:
            name = keys.trials(envelope.id)
            pipe.get(self._key(envelope))
            pipe.hincrby(name, SEEN, 1)
            pipe.hgetall(name)
            pipe.expire(name, self._ttl_s)
        answers = pipe.execute(raise_on_error=False)
        self._check(["what is known of a redelivered envelope"] * len(answers), answers)
        verdicts = []
        for envelope, value, seen, noted in zip(envelopes, answers[0::4], answers[1::4], answers[2::4], strict=True):
            # Something else may lie there: then it has never come back.
            known = isinstance(noted, dict)
            verdicts.append((_stored_before(envelope, value), not known or seen == 1, _ends(noted) if known else {}))
        return verdicts

    def note_trial(self, envelope: InFlightEnvelope, piece: Piece, change: int) -> None:
        """A part of an envelope enters the model alone (1), or has left it (-1)."""
        pipe = self._client.pipeline(transaction=False)
        pipe.hincrby(keys.trials(envelope.id), f"{piece[0]}:{piece[1]}", change)
        pipe.expire(keys.trials(envelope.id), self._ttl_s)
        self._check([keys.trials(envelope.id)] * 2, pipe.execute(raise_on_error=False))

    def forget_trials(self, envelope: InFlightEnvelope) -> None:
        """It has its result."""
        self._client.unlink(keys.trials(envelope.id))

    def report(self, status: WorkerStatus) -> None:
        """Publish this worker's status; it vanishes by itself some seconds after the last report."""
        pipe = self._client.pipeline(transaction=False)
        now = time.time()
        pipe.set(keys.worker(self._hostname), status.to_wire(), ex=WORKER_TTL_S)
        pipe.zadd(keys.WORKERS, {self._hostname: now})
        pipe.zremrangebyscore(keys.WORKERS, "-inf", now - WORKER_TTL_S)
        pipe.execute()

    def forget_worker(self) -> None:
        pipe = self._client.pipeline(transaction=False)
        pipe.delete(keys.worker(self._hostname))
        pipe.zrem(keys.WORKERS, self._hostname)
        pipe.execute()

    def _add_results(self, pipe: Pipeline, done: Sequence[EnvelopeResult]) -> None:
        finished_at = self._app.now().isoformat()
        names, values = [], []
        for stored in done:
            if not stored.envelope.ignore_result:
                result = stored.result if stored.error is None else self._backend.prepare_exception(stored.error)
                names.append(self._key(stored.envelope))
                values.append(self._meta(stored.envelope, stored.state, result, finished_at))
        self._add_values(pipe, STORE_SCRIPT, names, values, self._ttl_s)

    def _add_values(self, pipe: Pipeline, script: str, names: list[bytes], values: list[bytes], ttl_s: int) -> None:
        """What ``script`` does for these keys and values; without scripts as one command after the other."""
        if self._scripts:
            for start in range(0, len(names), SCRIPT_RESULTS):
                some = slice(start, start + SCRIPT_RESULTS)
                pipe.eval(script, len(names[some]), *names[some], ttl_s, *values[some])
            return
        for name, value in zip(names, values, strict=True):
            pipe.set(name, value, ex=ttl_s)
            if script is STORE_SCRIPT:
                pipe.publish(name, value)

    def _add_progress(self, pipe: Pipeline, group: str, stored: EnvelopeResult) -> str:
        """Two commands; returns the key they write."""
        name, (good, bad) = keys.progress(group), stored.counts()
        pipe.hset(name, stored.envelope.id, EnvelopeProgress(good, bad, time.time()).to_wire())
        pipe.expire(name, self._ttl_s)
        return name

    def _key(self, envelope: InFlightEnvelope) -> bytes:
        """Celery's key of the envelope's result."""
        key: bytes = self._key_prefix + envelope.id.encode()
        return key

    def _meta(
        self,
        envelope: InFlightEnvelope,
        state: str,
        result: list[Entry] | Entry | StoredError | None,
        finished_at: str | None,
    ) -> bytes:
        """The value under Celery's result key, as ``AsyncResult`` of any Celery client reads it."""
        return pack_meta(envelope.id, state, result, finished_at, group_id=envelope.group, parent_id=envelope.parent_id)


def _no_script(outcome: object) -> bool:
    """Whether a command was refused for being a script: by the user's rights, or by a server that has none."""
    if isinstance(outcome, redis.exceptions.NoPermissionError):
        return True
    return isinstance(outcome, redis.ResponseError) and not is_outage(outcome)


def _ends(noted: dict[bytes, bytes]) -> dict[Piece, int]:
    """How often a worker ended with which part of an envelope, as ``note_trial`` left it."""
    ends = {}
    for name, count in noted.items():
        first, colon, end = name.decode().partition(":")
        if colon and int(count) > 0:
            ends[int(first), int(end)] = int(count)
    return ends


def _counted(stored: EnvelopeResult) -> tuple[str, int, bool]:
    """An envelope as the ledger takes it off: lane, messages, whether it is in there."""
    envelope = stored.envelope
    lane = "bulk" if envelope.bulk else "interactive"
    return lane, envelope.counted or len(envelope.messages), envelope.counted > 0


def _stored_before(envelope: InFlightEnvelope, value: bytes | None) -> EnvelopeResult | None:
    """The final state under Celery's key, or None; what is no result of Celery's is none."""
    try:
        found = StoredResult.from_wire(value)
    except (ValueError, TypeError, LookupError):
        return None
    if found.state == "SUCCESS":
        return EnvelopeResult(envelope, found.state, found.result)
    if found.ready:
        return EnvelopeResult(envelope, found.state, error=SluiceError("failed before"))
    return None
