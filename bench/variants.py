"""The web process as in production, less one thing: ``python -m sluice.bench.variants NAME``. What is it worth?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from sluice.config.settings import current
from sluice.web import server
from sluice.web.app import create_app
from sluice.web.gateway import dispatcher, gateway
from sluice.web.gateway.dispatch_policy import DispatchPolicy
from sluice.web.gateway.service_monitor import ServiceMonitor


def no_hot_route() -> None:
    """``POST /predict/`` through Flask and pydantic, like every other route."""

    def flask_only(settings: Any) -> Any:
        app = create_app(settings)
        app.wsgi_app = app.wsgi_app._app  # type: ignore[attr-defined,method-assign]
        return app

    server.create_app = flask_only  # type: ignore[assignment]


def no_pacing() -> None:
    """The next envelope goes out as soon as the last one is published."""
    dispatcher.PACE_S = 0


def no_group_commit() -> None:
    """An envelope for every message."""
    no_pacing()

    class OneByOne(ServiceMonitor):
        def dispatch_policy(self) -> DispatchPolicy:
            return DispatchPolicy(messages=1)

    gateway.ServiceMonitor = OneByOne  # type: ignore[misc]


VARIANTS: dict[str, Callable[[], None]] = {
    "no-hot-route": no_hot_route,
    "no-pacing": no_pacing,
    "no-group-commit": no_group_commit,
}


def command(name: str) -> list[str]:
    """Python arguments that start the web process without ``name``."""
    return ["-m", "sluice.bench.variants", name]


if __name__ == "__main__":
    VARIANTS[sys.argv[1]]()
    server.serve(current())
