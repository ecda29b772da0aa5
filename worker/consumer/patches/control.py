"""Remote control commands of Celery that cannot do here what they are for: they say so.

Celery's own would answer OK and change nothing, or fail with the name of an attribute.
"""

from __future__ import annotations

from functools import partial

from celery.worker.control import Panel, nok

NO_LIMIT = (
    "a Sluice worker runs messages in batches, as fast as its model takes them, and knows no {limit} of a task;"
    " nothing was changed"
)
NO_POOL = "a Sluice worker runs its model in its own process and has no pool to change; {instead}; nothing was changed"
MORE = "start more workers, or as many as wanted with `sluice worker --processes N`"
REFUSALS = {
    "rate_limit": NO_LIMIT.format(limit="rate limit"),
    "time_limit": NO_LIMIT.format(limit="time limit"),
    "pool_grow": NO_POOL.format(instead=MORE),
    "pool_shrink": NO_POOL.format(instead="stop workers with `celery -A sluice.tasks control shutdown -d NODE`"),
    "pool_restart": NO_POOL.format(instead="stop the worker warmly (SIGTERM) and start it again"),
    "autoscale": NO_POOL.format(instead=MORE),
}


def install() -> None:
    """Put the refusals in place of Celery's commands, in this process."""
    for command, reason in REFUSALS.items():
        Panel.data[command] = partial(_refuse, reason)


def _refuse(reason: str, state: object, **arguments: object) -> dict[str, str]:
    return dict(nok(reason))
