"""Classifies messages through the broker, with nothing of Sluice installed: `pip install 'celery[redis]'` is enough.

    python examples/celery_client.py "see you at 8" "WIN a prize now, call 0900 123"

The task goes by its name, to Sluice's exchange, in JSON:

- argument: a list of texts, or of ``{"id": …, "text": …}``, 10,000 at most;
- result: a list in the same order, of ``{"id", "label", "probability", "model", "version"}``, or of
  ``{"id", "error": {"code", "message"}}`` for a message that got no label.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from celery import Celery
from celery.exceptions import TimeoutError as NoAnswer

#: Where `make run` has its Redis, which is broker and result backend.
EMBEDDED = f"redis+socket://{Path.home()}/.local/state/sluice/redis.sock"
#: For what somebody waits for; what may wait goes to `sluice.bulk`.
INTERACTIVE = "sluice.interactive"


def app_of(broker: str, backend: str) -> Celery:
    """A Celery app that sends `tasks.classify` where Sluice's workers take it from."""
    app = Celery("example", broker=broker, backend=backend)
    app.conf.task_routes = {"tasks.classify": {"exchange": "sluice", "routing_key": INTERACTIVE}}
    return app


def classify(app: Celery, texts: list[str], timeout_s: float) -> list[dict[str, Any]]:
    """One entry for each of ``texts``.

    Raises:
        NoAnswer: none came in time. The message stays queued: `expires` is how a client takes it back.
    """
    messages = [{"id": f"m{number}", "text": text} for number, text in enumerate(texts, 1)]
    # Celery writes the arguments into a header, to be shown: say something there that may be seen by everybody.
    shown = f"({len(messages)} messages)"
    result = app.send_task("tasks.classify", [messages], argsrepr=shown, expires=timeout_s)
    try:
        entries: list[dict[str, Any]] = result.get(timeout=timeout_s)
    finally:
        result.forget()  # it would be kept for a day
    return entries


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--broker", default=os.environ.get("SLUICE_BROKER_URL", EMBEDDED))
    parser.add_argument(
        "--backend", default=os.environ.get("SLUICE_RESULT_BACKEND"), help="the broker, if that is Redis"
    )
    parser.add_argument("--timeout", type=float, default=30.0, metavar="S")
    given = parser.parse_args()
    try:
        entries = classify(app_of(given.broker, given.backend or given.broker), given.texts, given.timeout)
    except NoAnswer:
        print(f"no answer within {given.timeout:g} s: is a worker running?", file=sys.stderr)
        return 1
    for entry in entries:
        if "error" in entry:
            print(f"{entry['id']}  {entry['error']['code']}: {entry['error']['message']}")
        else:
            print(f"{entry['id']}  {entry['label']} {entry['probability']:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
