"""Receives the replies of workers for one waiting process.

A worker appends, per batch, one reply with all answers of that batch to the process's Redis list; one thread pops
them. A list, not pub/sub: nothing is lost while the listener reconnects.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from uuid import uuid4

import redis

from sluice.tasks import keys
from sluice.tasks.redis_client import connect
from sluice.tasks.server import Availability, Server
from sluice.tasks.wire.reply import IndexedEntries, unpack_reply

log = logging.getLogger(__name__)

#: Seconds a reply list outlives its last reply: the time a listener may take to reconnect.
REPLY_TTL_S = 120
POP_TIMEOUT_S = 1
RECONNECT_WAIT_S = 0.5


class ReplyListener:
    """One thread that calls ``on_answers(envelope_id, [(index, entry), …])`` for every reply.

    Args:
        backend_url: Redis URL of the result backend.
        on_answers: called in the listener's thread; must be quick; what it raises is logged by type only.
        availability: told whether the backend answers; one of the listener's own when absent.
    """

    def __init__(
        self,
        backend_url: str,
        on_answers: Callable[[str, IndexedEntries], None],
        availability: Availability | None = None,
    ) -> None:
        self._availability = availability or Availability(Server.at(backend_url), log)
        self.address = uuid4().hex
        self._url = backend_url
        self._on_answers = on_answers
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sluice-replies", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=POP_TIMEOUT_S + 2)

    def _run(self) -> None:
        client = connect(self._url, socket_timeout=POP_TIMEOUT_S + 5)
        key = keys.reply(self.address)
        while not self._stopping.is_set():
            try:
                popped = client.blpop([key], timeout=POP_TIMEOUT_S)
            except redis.RedisError as exc:
                self._availability.lost(exc)
                self._stopping.wait(RECONNECT_WAIT_S)
                continue
            self._availability.back()
            if popped is not None:
                self._dispatch(popped[1])
        client.close()

    def _dispatch(self, payload: bytes | str) -> None:
        try:
            reply = unpack_reply(payload)
        except Exception as exc:  # a thread that ends would leave every later caller without an answer
            log.error("a reply could not be read (%s)", type(exc).__name__)
            return
        for envelope_id, entries in reply.items():
            try:
                self._on_answers(envelope_id, entries)
            except Exception as exc:  # the message may hold a text
                log.error("the answers of an envelope could not be delivered (%s)", type(exc).__name__)
