"""Health check of a web container: exit status 0 if /healthz answers.

Readiness (/readyz) also asks for a worker, a broker and a backend; a web part that waits for those is healthy.
"""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException

from sluice.config.settings import read

TIMEOUT_S = 4


def main() -> int:
    connection = HTTPConnection("127.0.0.1", read().port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, HTTPException) as exc:
        print(f"web does not answer: {type(exc).__name__}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
