"""Every Redis key of Sluice that is not Celery's own."""

from __future__ import annotations

#: Sorted set: worker host name → time of its last status.
WORKERS = "sluice:workers"

#: Sorted set: revoked envelope id → when. Celery's own memory of revoked ids ends with the last worker.
REVOKED = "sluice:cancelled"

#: Hash: messages that are published and not answered (``sluice.tasks.ledger``).
LEDGER = "sluice:ledger"

#: Sorted set: keys of the hashes of ``week``, by the Monday of the week (seconds since 1970).
WEEKS = "sluice:weeks"


def week(name: str, model: str, version: str) -> str:
    """Hash: what one version of a model answered in an ISO week such as ``2026-W49`` (``sluice.tasks.weeks``)."""
    return f"sluice:week:{name}:{model}:{version}"


def ledger_checked(lane: str) -> str:
    """String: there after a web process has put a lane's numbers right, so that no other does it too."""
    return f"sluice:ledger:checked:{lane}"


def reply(address: str) -> str:
    """List: replies for one waiting process."""
    return f"sluice:reply:{address}"


def worker(hostname: str) -> str:
    """String: the JSON status of one worker."""
    return f"sluice:worker:{hostname}"


def job(job_id: str) -> str:
    """Hash: the JSON description of a job, written when it is accepted, and what happened to it as a whole."""
    return f"sluice:job:{job_id}"


def jobs(owner: str) -> str:
    """Sorted set, all scores 0: the jobs of one caller, by ``JobStore.position``."""
    return f"sluice:jobs:{owner}"


def progress(job_id: str) -> str:
    """Hash: envelope id → ``"done failed finished_at"``, written with the envelope's result."""
    return f"sluice:progress:{job_id}"


def starts(machine: str) -> str:
    """Hash: the starts of workers on one machine that have not proven themselves yet."""
    return f"sluice:starts:{machine}"


def trials(envelope_id: str) -> str:
    """Hash: how often an envelope came back (``seen``), and ``first:end`` → workers that ended with these messages."""
    return f"sluice:trials:{envelope_id}"


def idempotency(digest: str) -> str:
    """String: what an ``Idempotency-Key`` (hashed with its API key) was answered with."""
    return f"sluice:idempotency:{digest}"


def message_ids(job_id: str) -> str:
    """String: the JSON list of the message ids that a job's caller gave."""
    return f"sluice:ids:{job_id}"
