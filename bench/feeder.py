"""A load of envelopes in a process of its own: as many messages under way as were asked for, for as long as it lives.

::

    with Feeder(env, lane="bulk", envelope=256, window=4_096) as feeder:
        first = feeder.read()
        …
        rate = first.rate_until(feeder.read())
"""

from __future__ import annotations

import itertools
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from sluice.config.paths import ROOT
from sluice.config.settings import read
from sluice.harness import texts as bench_texts
from sluice.tasks.client import Client

#: Seconds between two looks for a question on standard input.
POLL_S = 0.02
#: Texts that are taken in turn, each time with another word before them.
TEXTS = 2_000


@dataclass(frozen=True)
class Reading:
    """How many messages had been answered at a time.

    Attributes:
        at: ``time.monotonic``, which all processes of a machine share, seconds.
        first: of the first answer; None before there is one.
    """

    at: float
    messages: int
    first: float | None = None

    def rate_until(self, later: Reading) -> float:
        """Messages/s between two readings."""
        return (later.messages - self.messages) / (later.at - self.at)


class Feeder:
    """Starts the process; ends it with the block.

    Args:
        env: the service's environment.
        lane: ``bulk`` or ``interactive``.
        envelope: messages in each envelope.
        window: messages under way.

    Raises:
        RuntimeError: the process ended early; its words are in the message.
    """

    def __init__(self, env: Mapping[str, str], *, lane: str, envelope: int, window: int) -> None:
        self._order = json.dumps({"env": dict(env), "lane": lane, "envelope": envelope, "window": window})

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "sluice.bench.feeder", self._order],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill()
        self._child.communicate()

    def read(self) -> Reading:
        """How far it is now."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write("?\n")
            self._child.stdin.flush()
            return Reading(**json.loads(self._child.stdout.readline()))
        except (OSError, ValueError):
            _, complaint = self._child.communicate()
            raise RuntimeError(f"the feeder ended with {self._child.returncode}:\n{complaint[-2000:]}") from None


def distinct(lane: str) -> Iterator[str]:
    """Texts of the sample archive without end, no two alike, nor alike on both lanes: those are computed only once."""
    texts = bench_texts.load(count=TEXTS)
    for number, text in enumerate(itertools.cycle(texts)):
        yield f"{lane} {bench_texts.letters(number)} {text}"


def feed(client: Client, lane: str, envelope: int, window: int, texts: Iterator[str]) -> None:
    """Keep ``window`` messages under way until standard input ends; a line there asks for a `Reading`."""
    answered, under_way, first = 0, 0, None
    while True:
        while under_way + envelope <= window:
            client.publish(list(itertools.islice(texts, envelope)), lane=lane, envelope_id=uuid4().hex)
            under_way += envelope
        for _, answers in client.replies(POLL_S):
            answered += len(answers)
            under_way -= len(answers)
            first = first or time.monotonic()
        if select.select([sys.stdin], [], [], 0)[0]:
            if not sys.stdin.readline():
                return
            print(json.dumps({"at": time.monotonic(), "messages": answered, "first": first}), flush=True)


def main(order: Sequence[str]) -> None:
    given: dict[str, Any] = json.loads(order[0])
    names = {name.removeprefix("SLUICE_").lower(): value for name, value in given["env"].items()}
    with Client(read(**names)) as client:
        feed(client, given["lane"], given["envelope"], given["window"], distinct(given["lane"]))


if __name__ == "__main__":
    main(sys.argv[1:])
