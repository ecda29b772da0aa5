"""What the main thread knows that the engine asks for: who must not run any more, and how many envelopes are held."""

from __future__ import annotations

import time

from celery.worker import state as worker_state

from sluice.tasks.errors import Revoked
from sluice.worker.engine.mail import InFlightEnvelope


def revoked(envelope: InFlightEnvelope) -> Revoked | None:
    """Why an envelope must not run any more, or None. Reads only; safe from any thread."""
    if envelope.expires is not None and time.time() > envelope.expires:
        return Revoked("the message was expired before it was classified", {"expired": True})
    if envelope.id in worker_state.revoked:
        return Revoked("the message was revoked before it was classified", {"expired": False})
    return None


def held() -> int:
    """Envelopes that this worker has from the broker and has not acknowledged; a snapshot, from any thread."""
    return len(worker_state.reserved_requests)
