"""A load client that costs little: HTTP/1.1 keep-alive on asyncio protocols, in a process of its own.

Three ways to load a service:

- ``closed``: every connection sends its next request when its last one is answered;
- ``open``: requests come at random times (a Poisson process) whatever the service does, over as many connections as
  that takes. A latency counts from the time at which the request was *due*, so that a stall of the service, or of this
  client, is felt by every request it delays ("coordinated omission" is avoided);
- ``burst``: ``open`` for some seconds, read for how long the service takes to answer the rest after the last request.

``measure(Load(...))`` runs one in a child process (``bench/loops.py``) and returns a ``Measured``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sluice.bench.statistics import percentile
from sluice.config.paths import ROOT

NUMBERS = ("due", "sent", "answered", "length")


@dataclass(frozen=True)
class Load:
    """What to send.

    Give ``connections`` with ``seconds`` or ``requests`` for a closed loop; ``rate`` with ``seconds`` for an open one.
    """

    url: str
    """Of the route, e.g. ``http://127.0.0.1:8000/predict/``."""
    texts: Sequence[str] = field(repr=False)
    connections: int = 1
    """Closed loop: how many. Open loop: the most."""
    seconds: float | None = None
    """How long requests are sent, after the warm-up."""
    requests: int | None = None
    """Closed loop: how many each connection sends, after the warm-up."""
    rate: float | None = None
    """Open loop: requests per second on average."""
    warm_up_s: float = 1.0
    """Requests of the first seconds are sent but not counted."""
    messages: int = 1
    """Texts in each request: 1 posts ``{"text": …}``, more post ``{"texts": […]}``."""
    headers: tuple[tuple[str, str], ...] = ()
    expect: str = '"label"'
    """Must be in an answer of status 200 once per message; empty: any body will do."""
    timeout_s: float = 60.0
    """How long to wait for what is unanswered when all is sent."""
    seed: int = 1

    def __post_init__(self) -> None:
        if self.rate is not None and self.seconds is None:
            raise ValueError("an open loop needs seconds")
        if self.rate is None and (self.seconds is None) == (self.requests is None):
            raise ValueError("a closed loop needs either seconds or requests")
        if self.connections < 1 or self.messages < 1:
            raise ValueError("there must be a connection, and a message in each request")


@dataclass(frozen=True)
class Measured:
    """What came back. Times are seconds since the load began; an array has a place per good answer counted."""

    due: np.ndarray
    """When the request should have been sent; in a closed loop, when it was."""
    sent: np.ndarray
    answered: np.ndarray
    length: np.ndarray
    """Characters in the request's texts."""
    seconds: float
    """From the end of the warm-up to the end of the measurement."""
    messages: int
    """In each request."""
    errors: dict[str, int]
    """Requests that failed, by what went wrong, the warm-up's among them."""
    late: int
    """Open loop: requests sent more than 5 ms after they were due."""
    clear_s: float
    """Open loop: from the last request that was due to the last answer."""

    @property
    def latency_s(self) -> np.ndarray:
        return self.answered - self.due

    @property
    def requests_per_s(self) -> float:
        return len(self.answered) / self.seconds

    @property
    def messages_per_s(self) -> float:
        return self.requests_per_s * self.messages

    def row(self) -> dict[str, Any]:
        """The figures that every measurement over HTTP reports; ``latency_s`` is an array, for plots."""
        ms = self.latency_s * 1000
        return {
            "requests": len(ms),
            "requests_per_s": self.requests_per_s,
            "messages_per_s": self.messages_per_s,
            "mean_ms": float(ms.mean()) if len(ms) else float("nan"),
            **{f"p{share}_ms": percentile(ms, share) for share in (50, 95, 99)},
            "max_ms": float(ms.max()) if len(ms) else float("nan"),
            "errors": sum(self.errors.values()),
            "latency_s": self.latency_s,
        }


class LoadFailed(RuntimeError):
    """The client's own process failed."""


def measure(load: Load) -> Measured:
    """Run the load in a process of its own; raises LoadFailed if that breaks. Failed requests do not raise."""
    with tempfile.TemporaryDirectory(prefix="sl-load-") as folder:
        order, answer = Path(folder, "load.json"), Path(folder, "measured.npz")
        order.write_text(json.dumps(asdict(load)), encoding="utf-8")
        command = [sys.executable, "-m", "sluice.bench.loops", str(order), str(answer)]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as child:
            try:
                _, complaint = child.communicate()
            except BaseException:
                child.kill()
                raise
        if child.returncode:
            raise LoadFailed(f"the load client ended with {child.returncode}:\n{complaint[-2000:]}")
        with np.load(answer) as arrays:
            rest = json.loads(str(arrays["rest"]))
            return Measured(**{name: arrays[name] for name in NUMBERS}, **rest)


def warm(load: Load) -> None:
    """Send a load and forget it; raises LoadFailed if no request was answered."""
    if not len(measure(load).answered):
        raise LoadFailed("nothing was answered during the warm-up")
