"""Health check of a worker container: exit status 0 if this host's worker has reported itself lately.

A worker reports every few seconds from the moment when its model is warm. It is not asked directly (`celery inspect
ping`), because that starts a whole Celery client for each check.
"""

from __future__ import annotations

import socket
import sys
import time
from typing import Any

import redis

from sluice.config.settings import read
from sluice.tasks import keys
from sluice.tasks.redis_client import connect
from sluice.tasks.results import WORKER_TTL_S

TIMEOUT_S = 4.0


def main() -> int:
    client = connect(read().backend, socket_timeout=TIMEOUT_S)
    try:
        names: Any = client.zrangebyscore(keys.WORKERS, time.time() - WORKER_TTL_S, "+inf")
    except redis.RedisError as exc:
        print(f"the result backend does not answer: {type(exc).__name__}", file=sys.stderr)
        return 1
    here = f"@{socket.gethostname()}".encode()
    return 0 if any(name.endswith(here) for name in names) else 1


if __name__ == "__main__":
    sys.exit(main())
