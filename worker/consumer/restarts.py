"""Workers that end soon after their start, one after the other: the next one waits before it takes messages.

Whatever starts a worker again at once (systemd, docker, a loop in a shell) makes a loop of a device that is lost, and
each round takes a window of messages along. The starts on this machine are noted in the result store; a worker
strikes out its own when it stops as asked, or has lived for a while.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from pathlib import Path
from typing import cast

import orjson
import redis

from sluice.tasks import keys

#: Seconds that a worker lives until its start, and those before it, count no more.
PROVEN_S = 30.0
#: Seconds that a start is remembered.
REMEMBERED_S = 600
#: Ends in a row after which the next worker waits; the wait doubles with each more.
FREE_ENDS = 2
#: Seconds that a worker waits at most if the last one had answered something: then it is a message that ends them, and
#: others are waiting for their answers.
SHORT_S = 1.0


class Restarts:
    """This start, and those before it on this machine that came to no good.

    The main thread begins; ``answered`` is for one other thread.

    Args:
        client: Redis client of the result backend.
        most_s: the longest wait, seconds; 0: none.
    """

    def __init__(self, client: redis.Redis, most_s: float) -> None:
        self._client = client
        self._most_s = most_s
        self._name = keys.starts(socket.gethostname())
        self._mine = f"{os.getpid()}:{_born(os.getpid())}"
        self._ended: list[str] = []
        self._answered = self._forgotten = False

    def begin(self) -> tuple[int, float]:
        """Note this start; returns how many before it ended soon after theirs, and the seconds to wait.

        Without a result store nothing is known: no wait.
        """
        now = time.time()
        try:
            noted = cast(dict[bytes, bytes], self._client.hgetall(self._name))
            known = {name.decode(): orjson.loads(value) for name, value in noted.items()}
            self._write(now, answered=False)
        except redis.RedisError:
            return 0, 0.0
        self._ended = [name for name in known if not _alive(name)]
        recent = sorted(known[name] for name in self._ended if now - known[name][0] < REMEMBERED_S)
        ends = len(recent)
        if ends < FREE_ENDS:
            return ends, 0.0
        most_s = min(SHORT_S, self._most_s) if recent[-1][1] else self._most_s
        return ends, min(most_s, 2.0 ** (ends - FREE_ENDS))

    def answered(self) -> None:
        """This worker has answered messages: its device works."""
        if not self._answered and not self._forgotten:
            self._answered = True
            with contextlib.suppress(redis.RedisError):
                self._write(time.time(), answered=True)

    def forget_later(self) -> threading.Timer:
        """Once this worker has lived for a while, its start and those before it count no more."""
        timer = threading.Timer(PROVEN_S, self._forget, self._ended)
        timer.daemon = True
        timer.start()
        return timer

    def forget(self) -> None:
        """This worker ends as it was asked to; those before it count on: it may have been asked because of one."""
        self._forget()

    def _forget(self, *others: str) -> None:
        self._forgotten = True
        with contextlib.suppress(redis.RedisError):
            self._client.hdel(self._name, self._mine, *others)

    def _write(self, now: float, *, answered: bool) -> None:
        pipe = self._client.pipeline(transaction=False)
        pipe.hset(self._name, self._mine, orjson.dumps([now, answered]))
        pipe.expire(self._name, REMEMBERED_S)
        pipe.execute()


def _alive(name: str) -> bool:
    """Whether the process of that start still runs here: its id may belong to another by now."""
    pid, _, born = name.partition(":")
    return _born(int(pid)) == born


def _born(pid: int) -> str:
    """When a process started, in whatever unit the system has; empty if there is none, or it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
