"""The load client's own process: requests, connections and the two loops. ``bench.client`` is what to call."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import numpy as np

from sluice.bench.client import NUMBERS, Load, Measured
from sluice.harness.texts import letters

#: A request sent later than this after it was due counts as late.
LATE_S = 0.005
#: Connections that an open loop has before the first request is due.
READY_CONNECTIONS = 32
#: In place of a length: only the last chunk tells where the body ends.
CHUNKED = sys.maxsize


class Requests:
    """The bytes of request after request, each with a text of its own.

    Each text goes out as it is, then with the number of the pass, in letters, ahead. Texts are put into JSON once.
    """

    def __init__(self, load: Load) -> None:
        parts = urlsplit(load.url)
        lines = [f"POST {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in load.headers]
        self._head = ("\r\n".join(lines) + "\r\nContent-Length: ").encode()
        self._texts = [(json.dumps(text, ensure_ascii=False)[1:-1].encode(), len(text)) for text in load.texts]
        self._messages = load.messages
        self._taken = 0

    def next(self) -> tuple[bytes, int]:
        """The request, and the characters in its texts."""
        if self._messages == 1:
            text, length = self._take()
            body = b'{"text":"%b"}' % text
        else:
            texts = [self._take() for _ in range(self._messages)]
            length = sum(one for _, one in texts)
            body = b'{"texts":["%b"]}' % b'","'.join(text for text, _ in texts)
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body), length

    def _take(self) -> tuple[bytes, int]:
        turn, place = divmod(self._taken, len(self._texts))
        self._taken += 1
        text, length = self._texts[place]
        return (b"%b %b" % (letters(turn).encode(), text) if turn else text), length


@dataclass(slots=True)
class Ask:
    """One request on its way."""

    due: float
    length: int
    payload: bytes
    sent: float = 0.0


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._buffer = b""
        self._need = -1
        self.transport: asyncio.Transport | None = None
        self.ask: Ask | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own type is no subclass

    def send(self, ask: Ask) -> None:
        assert self.transport is not None
        self.ask = ask
        ask.sent = time.perf_counter()
        self.transport.write(ask.payload)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._need < 0:
            head = self._buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            self._need = _body_end(self._buffer, head + 4)
        if self._need == CHUNKED:
            if not self._buffer.endswith(b"0\r\n\r\n"):
                return
        elif len(self._buffer) < self._need:
            return
        answer, self._buffer, self._need = self._buffer, b"", -1
        ask, self.ask = self.ask, None
        if ask is None:
            return
        self._run.answered(ask, answer)
        if b"connection: close" in answer[: answer.find(b"\r\n\r\n")].lower():
            self.close()
        else:
            self._run.idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        ask, self.ask = self.ask, None
        if ask is not None:
            self._run.failed("closed by the server")
        self._run.lost(self)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()


def _body_end(answer: bytes, start: int) -> int:
    """Where an answer whose body begins at ``start`` ends; ``CHUNKED`` if only its last chunk tells."""
    head = answer[:start].lower()
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        return start + int(head[at + 17 : head.index(b"\r\n", at + 2)])
    return CHUNKED if b"\r\ntransfer-encoding: chunked" in head else start


class Run:
    """One load on one event loop: what both loops share."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.requests = Requests(load)
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        self.errors: Counter[str] = Counter()
        self.good: list[tuple[float, float, float, int]] = []
        self.done = asyncio.Event()
        self.begun = 0.0
        self.closing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._expect = load.expect.encode()
        parts = urlsplit(load.url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)

    @property
    def measured_from(self) -> float:
        return self.begun + self.load.warm_up_s

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def connect(self) -> Connection | None:
        try:
            _, connection = await self.loop.create_connection(lambda: Connection(self), *self._address)
        except OSError:
            self.errors["no connection"] += 1
            return None
        self.connections.add(connection)
        return connection

    def answered(self, ask: Ask, answer: bytes) -> None:
        now = time.perf_counter()
        status = answer[9:12]
        if status != b"200":
            self.failed(f"status {status.decode(errors='replace')}")
        elif self._expect and answer.count(self._expect) < self.load.messages:
            self.failed("no label")
        else:
            self.good.append((ask.due, ask.sent, now, ask.length))

    def failed(self, kind: str) -> None:
        self.errors[kind] += 1

    def idle(self, connection: Connection) -> None:
        raise NotImplementedError

    def lost(self, connection: Connection) -> None:
        self.connections.discard(connection)

    async def finish(self, patience_s: float) -> None:
        """Wait for ``done``; what is not answered by then has timed out."""
        try:
            await asyncio.wait_for(self.done.wait(), patience_s)
        except TimeoutError:
            unanswered = sum(connection.ask is not None for connection in self.connections)
            if unanswered:
                self.errors["timeout"] += unanswered
        self.closing = True
        for connection in list(self.connections):
            connection.ask = None
            connection.close()
        await asyncio.sleep(0)


class ClosedLoop(Run):
    """Every connection sends its next request when its last one is answered."""

    async def run(self) -> Measured:
        load = self.load
        opened = [one for one in [await self.connect() for _ in range(load.connections)] if one]
        self._left = dict.fromkeys(opened, load.requests or 0)
        self._active = len(opened)
        self.begun = time.perf_counter()
        self._ends = self.measured_from + load.seconds if load.seconds else float("inf")
        for connection in opened:
            self.idle(connection)
        if not opened:
            self.done.set()
        longest = load.warm_up_s + (load.seconds or 0) + load.timeout_s * (1 if load.seconds else 10)
        await self.finish(longest)
        return self._measured()

    def idle(self, connection: Connection) -> None:
        now = time.perf_counter()
        if now >= self.measured_from and self.load.requests is not None:
            if self._left[connection] == 0:
                self._rest()
                return
            self._left[connection] -= 1
        elif now >= self._ends:
            self._rest()
            return
        payload, length = self.requests.next()
        connection.send(Ask(now, length, payload))

    def lost(self, connection: Connection) -> None:
        super().lost(connection)
        if not self.closing and connection in self._left:
            self.start(self._replace(self._left.pop(connection)))

    async def _replace(self, left: int) -> None:
        connection = await self.connect()
        if connection is None:
            self._rest()
        else:
            self._left[connection] = left
            self.idle(connection)

    def _rest(self) -> None:
        self._active -= 1
        if self._active <= 0:
            self.done.set()

    def _measured(self) -> Measured:
        due, sent, answered, length = _columns(self.good)
        start = self.measured_from
        if self.load.requests is None:
            kept = (answered >= start) & (answered <= self._ends)
            seconds = float(self.load.seconds or 0)
        else:
            kept = sent >= start
            seconds = float(answered.max() - start) if kept.any() else float("nan")
        origin = self.begun
        return Measured(
            due[kept] - origin,
            sent[kept] - origin,
            answered[kept] - origin,
            length[kept],
            seconds,
            self.load.messages,
            dict(self.errors),
            0,
            float("nan"),
        )


class OpenLoop(Run):
    """Requests come when they are due, whatever the service does."""

    async def run(self) -> Measured:
        load = self.load
        assert load.rate is not None
        assert load.seconds is not None
        self._free: deque[Connection] = deque()
        self._waiting: deque[Ask] = deque()
        self._opening = 0
        self._due = arrivals(load.rate, load.warm_up_s + load.seconds, load.seed)
        self._next = 0
        self._settled = 0
        for _ in range(min(READY_CONNECTIONS, load.connections)):
            connection = await self.connect()
            if connection:
                self._free.append(connection)
        self.begun = time.perf_counter() + 0.05
        pacer = threading.Thread(target=self._pace, name="pacer", daemon=True)
        pacer.start()
        await self.finish(0.05 + load.warm_up_s + load.seconds + load.timeout_s)
        pacer.join(5)
        self._give_up()
        return self._measured()

    def _pace(self) -> None:
        """Wake the loop when a request is due; the loop's own timers are a millisecond coarse."""
        place = 0
        while place < len(self._due) and not self.closing:
            pause = self.begun + self._due[place] - time.perf_counter()
            if pause > 0:
                time.sleep(pause)
            self.loop.call_soon_threadsafe(self._send_due)
            place = int(np.searchsorted(self._due, time.perf_counter() - self.begun, side="right"))

    def _send_due(self) -> None:
        now = time.perf_counter() - self.begun
        while self._next < len(self._due) and self._due[self._next] <= now:
            payload, length = self.requests.next()
            self._waiting.append(Ask(self.begun + float(self._due[self._next]), length, payload))
            self._next += 1
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and self._free:
            connection = self._free.pop()
            if connection.transport is not None:
                connection.send(self._waiting.popleft())
        missing = len(self._waiting) - self._opening
        room = self.load.connections - len(self.connections) - self._opening
        for _ in range(min(missing, room)):
            self._opening += 1
            self.start(self._grow())

    async def _grow(self) -> None:
        connection = await self.connect()
        self._opening -= 1
        if connection:
            self.idle(connection)
        elif not self.connections and self._waiting:
            self._waiting.popleft()
            self._settle()

    def idle(self, connection: Connection) -> None:
        self._free.append(connection)
        self._send_waiting()

    def lost(self, connection: Connection) -> None:
        super().lost(connection)
        if not self.closing:
            self._send_waiting()

    def answered(self, ask: Ask, answer: bytes) -> None:
        super().answered(ask, answer)
        self._settle()

    def failed(self, kind: str) -> None:
        super().failed(kind)
        if kind == "closed by the server":
            self._settle()

    def _settle(self) -> None:
        self._settled += 1
        if self._settled >= len(self._due):
            self.done.set()

    def _give_up(self) -> None:
        unsent = len(self._waiting) + len(self._due) - self._next
        if unsent:
            self.errors["never sent"] += unsent

    def _measured(self) -> Measured:
        due, sent, answered, length = _columns(self.good)
        kept = due >= self.measured_from
        last_due = self.begun + self.load.warm_up_s + float(self.load.seconds or 0)
        origin = self.begun
        return Measured(
            due[kept] - origin,
            sent[kept] - origin,
            answered[kept] - origin,
            length[kept],
            float(self.load.seconds or 0),
            self.load.messages,
            dict(self.errors),
            int((sent[kept] - due[kept] > LATE_S).sum()),
            max(0.0, float(answered.max() - last_due)) if len(answered) else float("nan"),
        )


def arrivals(rate: float, seconds: float, seed: int) -> np.ndarray:
    """Times of a Poisson process that has exactly ``rate * seconds`` events: they lie independently and uniformly."""
    return np.sort(np.random.default_rng(seed).uniform(0, seconds, max(1, round(rate * seconds))))


def _columns(good: list[tuple[float, float, float, int]]) -> tuple[np.ndarray, ...]:
    table = np.array(good, dtype=float).reshape(-1, len(NUMBERS))
    return tuple(table[:, column] for column in range(len(NUMBERS)))


def run_here(load: Load) -> Measured:
    """Run the load in this process and thread."""

    async def go() -> Measured:
        return await (ClosedLoop(load) if load.rate is None else OpenLoop(load)).run()

    try:
        import uvloop
    except ImportError:
        return asyncio.run(go())
    return uvloop.run(go())


def main() -> None:
    order, answer = sys.argv[1:]
    given = json.loads(Path(order).read_text(encoding="utf-8"))
    given["headers"] = tuple(tuple(pair) for pair in given["headers"])
    gc.disable()  # a pause of this process would count as the service's
    measured = run_here(Load(**given))
    arrays = {name: getattr(measured, name) for name in NUMBERS}
    rest = {name: getattr(measured, name) for name in Measured.__dataclass_fields__ if name not in NUMBERS}
    np.savez(answer, rest=np.array(json.dumps(rest)), **arrays)


if __name__ == "__main__":
    main()
