"""What the worker replaces in Celery and kombu, in its own process; ``internals.py`` lists all that it relies on.

Each file here puts one thing in place of theirs. What is not replaced but subclassed lies with its job:
``request.py``, ``transport/``, ``node.py``.
"""

from __future__ import annotations

from celery import Celery

from sluice.tasks.server import Availability
from sluice.worker.consumer.patches import connectivity, control, gossip, privacy, unpacking


def install(app: Celery) -> Availability:
    """Make every change, before the worker connects; returns the broker's availability, to be told when it is back."""
    privacy.install()
    control.install()
    gossip.install()
    unpacking.install()
    return connectivity.install(app)
