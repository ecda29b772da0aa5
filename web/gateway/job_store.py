"""What is known of a job besides its results: its description, its progress, its idempotency key. Plain Redis.

A description, written before the first envelope is published and never changed::

    {"total", "created_at", "lane", "envelopes": [[id, messages], …], "named", "token", "scores", "verdict"?, "owner"}

``created_at`` is Unix seconds; ``named`` says that the caller gave message ids (kept under a key of their own, read
only when an envelope has no entries to name); ``token`` marks one message of a shared envelope; ``scores`` says that
results have the probability of every label, ``verdict`` that they say what to do; ``owner`` stands for the caller, in
whose list the job is.

Beside it in the same hash stand two marks, each set once, to the Unix time of then, by whoever knows: ``published``,
that every envelope went out, and ``cancelled``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import orjson
import redis

from sluice.config.settings import current
from sluice.tasks import keys
from sluice.tasks.errors import Conflict, NotFound
from sluice.tasks.ledger import Count
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.server import Server
from sluice.tasks.wire.progress import EnvelopeProgress, JobProgress

#: Writes a new job, unless its idempotency key is taken: then it returns what the key holds.
#: KEYS: idempotency, job, group, ids, list. ARGV: ttl, record, description, group, ids, position in the list, most that
#: the list holds; an empty argument is not written.
CREATE = """
if ARGV[2] ~= '' and not redis.call('SET', KEYS[1], ARGV[2], 'NX', 'EX', ARGV[1]) then
  return redis.call('GET', KEYS[1])
end
redis.call('HSET', KEYS[2], 'job', ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[1])
for i = 3, 4 do
  if ARGV[i + 1] ~= '' then redis.call('SET', KEYS[i], ARGV[i + 1], 'EX', ARGV[1]) end
end
redis.call('ZADD', KEYS[5], 0, ARGV[6])
redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -1 - ARGV[7])
redis.call('EXPIRE', KEYS[5], ARGV[1])
return false
"""

#: Sets a mark (ARGV[1]) on a job (KEYS[1]), with the time it was first set (ARGV[2]), unless the job was discarded or
#: has expired.
MARK = """
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) end
"""


MARKS = ("cancelled", "published")
#: Jobs that a caller's list holds, the newest ones.
MOST_LISTED = 10_000


@dataclass(frozen=True, slots=True)
class Job:
    """The description of a job."""

    id: str
    total: int
    created_at: float
    lane: str
    envelopes: list[tuple[str, int]]
    cancelled: bool = False
    named: bool = False
    published: bool = False
    token: str | None = None
    cancelled_at: float | None = None
    scores: bool = False
    owner: str = ""
    verdict: bool = False

    @classmethod
    def of_message(cls, envelope_id: str, token: str, *, alone: bool, options: PredictionOptions = LABEL_ONLY) -> Job:
        """One message of an envelope, found later by a token that its neighbours' callers do not know.

        Args:
            alone: no other caller's message is in the envelope, so that it can be revoked.
        """
        one = (envelope_id, 1 if alone else 0)
        job_id = f"{envelope_id}.{token}"
        return cls(
            job_id, 1, time.time(), "interactive", [one], token=token, scores=options.scores, verdict=options.verdict
        )

    @property
    def options(self) -> PredictionOptions:
        """What its results have besides label and probability."""
        return PredictionOptions(self.scores, self.verdict)

    @property
    def position(self) -> str:
        """Its position in its caller's list: later jobs have greater ones."""
        return position(self.id, self.created_at)

    @property
    def count(self) -> Count:
        """Its envelopes and messages."""
        return Count(len(self.envelopes), self.total)

    def packed(self) -> bytes:
        fields = asdict(self)
        if not self.verdict:
            del fields["verdict"]  # web processes of earlier releases take no field that they do not know
        return orjson.dumps(
            {name: value for name, value in fields.items() if name not in ("id", "cancelled_at", *MARKS)}
        )


def position(job_id: str, created_at: float) -> str:
    return f"{int(created_at * 1e6):016d}:{job_id}"


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """An Idempotency-Key: its digest and what identifies the request that holds it."""

    digest: str
    body: str
    job_id: str = field(default="")

    def packed(self) -> bytes:
        return orjson.dumps({"body": self.body, "job": self.job_id})


class JobStore:
    """Reads and writes jobs. Thread-safe.

    Args:
        client: Redis of the result backend.
        ttl_s: seconds that jobs and keys are kept; a poll of an unfinished job starts them anew.
        server: what ``client`` is connected to, for the errors; that of the settings when absent.
        most_listed: jobs that a caller's list holds.
    """

    def __init__(
        self, client: redis.Redis, ttl_s: int, server: Server | None = None, *, most_listed: int = MOST_LISTED
    ) -> None:
        self._most_listed = most_listed
        self._client = client
        self._ask = (server or Server.backend(current())).ask
        self._ttl_s = ttl_s
        self._create = client.register_script(CREATE)
        self._mark = client.register_script(MARK)

    def create(
        self,
        job: Job,
        group: tuple[str, str],
        ids: list[str] | None = None,
        idempotency: IdempotencyRecord | None = None,
    ) -> str | None:
        """Write a job before it is published.

        Args:
            group: key and value under which Celery finds the job as a group.

        Returns:
            None, or the id of the job that holds the same idempotency key with the same body.

        Raises:
            Conflict: the key was used with another body.
            BackendUnavailable: nothing was written.
        """
        names = [
            keys.idempotency(idempotency.digest) if idempotency else "-",
            keys.job(job.id),
            group[0],
            keys.message_ids(job.id),
            keys.jobs(job.owner),
        ]
        values = [self._ttl_s, idempotency.packed() if idempotency else "", job.packed(), group[1]]
        more = [orjson.dumps(ids) if ids else "", job.position, self._most_listed]
        taken = self._ask(self._create, names, [*values, *more])
        if not taken or idempotency is None:
            return None
        held = orjson.loads(taken)
        if held["body"] != idempotency.body:
            raise Conflict("this Idempotency-Key was used before with another body", {"field": "Idempotency-Key"})
        return str(held["job"])

    def put(self, job: Job) -> None:
        """Write the description of a job that needs no group: one message of a shared envelope."""
        pipe = self._client.pipeline()
        pipe.hset(keys.job(job.id), "job", job.packed())
        pipe.expire(keys.job(job.id), self._ttl_s)
        self._ask(pipe.execute)

    def discard(self, job: Job, group_key: str, idempotency: IdempotencyRecord | None) -> None:
        """Take a job that was not published out again, as far as the backend can be reached."""
        names = [keys.job(job.id), group_key, keys.message_ids(job.id), keys.progress(job.id)]
        if idempotency is not None:
            names.append(keys.idempotency(idempotency.digest))
        pipe = self._client.pipeline(transaction=False)
        pipe.delete(*names)
        pipe.zrem(keys.jobs(job.owner), job.position)
        self._ask(pipe.execute)

    def get(self, job_id: str) -> Job:
        """The description of a job.

        Raises:
            NotFound: there is no such job, or it has expired.
        """
        job = read_job(job_id, self._ask(self._client.hmget, keys.job(job_id), ["job", *MARKS]))
        if job is None:
            raise NotFound("there is no such job, or its results have expired", {"field": "id"})
        return job

    def listed(self, owner: str, before: str | None, count: int) -> list[Job]:
        """At most ``count`` jobs of a caller, newest first, from behind the position ``before``."""
        name = keys.jobs(owner)
        found: list[Job] = []
        while len(found) < count:
            end = f"({before}" if before else "+"
            positions = self._ask(self._client.zrevrangebylex, name, end, "-", 0, count - len(found))
            if not positions:
                break
            before = positions[-1].decode()
            ids = [one.decode().partition(":")[2] for one in positions]
            pipe = self._client.pipeline(transaction=False)
            for one in ids:
                pipe.hmget(keys.job(one), ["job", *MARKS])
            jobs = [read_job(one, values) for one, values in zip(ids, self._ask(pipe.execute), strict=True)]
            expired = [one for one, job in zip(positions, jobs, strict=True) if job is None]
            if expired:
                self._ask(self._client.zrem, name, *expired)
            found += [job for job in jobs if job is not None]
        return found

    def message_ids(self, job_id: str) -> list[str] | None:
        """The message ids that the caller gave, in order."""
        packed = self._ask(self._client.get, keys.message_ids(job_id))
        return orjson.loads(packed) if packed else None

    def progress(self, job_id: str) -> JobProgress:
        """How far the workers are."""
        return self.progress_of([job_id])[0]

    def progress_of(self, job_ids: Sequence[str]) -> list[JobProgress]:
        """The same of several jobs, in one round trip."""
        pipe = self._client.pipeline(transaction=False)
        for job_id in job_ids:
            pipe.hgetall(keys.progress(job_id))
        return [JobProgress.from_wire(fields) for fields in self._ask(pipe.execute)]

    def keep(self, job: Job, group_key: str) -> None:
        """Start the time to live of an unfinished job anew."""
        pipe = self._client.pipeline(transaction=False)
        for name in (keys.job(job.id), group_key, keys.message_ids(job.id), keys.progress(job.id)):
            pipe.expire(name, self._ttl_s)
        pipe.expire(keys.jobs(job.owner), self._ttl_s)
        self._ask(pipe.execute)

    def mark_cancelled(self, job: Job) -> None:
        self._ask(self._mark, [keys.job(job.id)], ["cancelled", time.time()])

    def mark_published(self, job: Job) -> None:
        self._ask(self._mark, [keys.job(job.id)], ["published", time.time()])

    def store_revoked(self, job_id: str, envelopes: list[tuple[str, str, bytes, int]]) -> None:
        """Store envelopes as revoked unless a worker has stored something: that one finishes.

        Args:
            envelopes: (envelope id, result key, result, messages) each.
        """
        pipe = self._client.pipeline(transaction=False)
        for _, name, value, _ in envelopes:
            pipe.set(name, value, nx=True, ex=self._ttl_s)
        written = self._ask(pipe.execute)
        pipe = self._client.pipeline(transaction=False)
        now = time.time()
        for (envelope_id, _, _, count), done in zip(envelopes, written, strict=True):
            if done:
                pipe.hsetnx(keys.progress(job_id), envelope_id, EnvelopeProgress(0, count, now).to_wire())
        pipe.expire(keys.progress(job_id), self._ttl_s)
        self._ask(pipe.execute)


def read_job(job_id: str, values: Sequence[bytes | None]) -> Job | None:
    """A job from its description and marks; None if there is none any more."""
    packed, *marks = values
    if packed is None:
        return None
    known = Job.__dataclass_fields__  # a later release may say more
    fields = {name: value for name, value in orjson.loads(packed).items() if name in known}
    fields["envelopes"] = [(one, count) for one, count in fields["envelopes"]]
    fields |= {name: mark is not None for name, mark in zip(MARKS, marks, strict=True)}
    cancelled_at = float(marks[MARKS.index("cancelled")] or 0)
    return Job(id=job_id, cancelled_at=cancelled_at or None, **fields)
