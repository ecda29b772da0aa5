"""Callers who each have many texts, for services that take one a request: all are sent at once, then all awaited."""

from __future__ import annotations

import asyncio
import gc

from sluice.bench.client import Load, Measured
from sluice.bench.loops import ClosedLoop, Connection


class Together(ClosedLoop):
    """A closed loop in which ``size`` connections belong to one caller, who goes on when all of them are answered."""

    def __init__(self, load: Load, size: int) -> None:
        super().__init__(load)
        self._size = size
        self._caller: dict[Connection, int] = {}
        self._answered: dict[int, list[Connection]] = {}

    def idle(self, connection: Connection) -> None:
        caller = self._caller.setdefault(connection, len(self._caller) // self._size)
        answered = self._answered.setdefault(caller, [])
        answered.append(connection)
        if len(answered) < self._size:
            return
        self._answered[caller] = []
        for one in answered:
            super().idle(one)

    def lost(self, connection: Connection) -> None:
        """A new connection would belong to nobody; the caller waits for ever, and the measurement shows it."""
        self.connections.discard(connection)


def measure(load: Load, size: int) -> Measured:
    """Run the load in this process, which should have nothing else to do meanwhile.

    Args:
        load: a closed loop; its ``connections`` are those of all callers together.
    """

    async def go() -> Measured:
        return await Together(load, size).run()

    collecting = gc.isenabled()
    gc.disable()  # a pause of this process would count as the service's
    try:
        import uvloop
    except ImportError:
        return asyncio.run(go())
    else:
        return uvloop.run(go())
    finally:
        if collecting:
            gc.enable()
