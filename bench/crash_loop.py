"""The crash loop: ``python -m sluice.bench.crash_loop [--broker rabbitmq] [--delivery-limit 20] [--messages 3060]``.

Accepts messages over HTTP, some of which take their worker's device down, and runs workers that are started again
whenever they end, as a process manager does. On RabbitMQ a policy limits the deliveries of every queue, so that what a
dying worker merely held is counted by the broker too. Ends with status 1 unless every accepted message has an answer
or an error of its own, and every job is finished.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice.bench.environment import without_own_settings
from sluice.bench.progress import progress
from sluice.bench.results import Results, print_table
from sluice.bench.statistics import Row
from tests.harness.servers import RabbitServer, RedisServer
from tests.harness.web import Web
from tests.harness.worker import Worker, environment

BROKERS = ("redis", "rabbitmq")
DEADLY = "DEADLY"
MODEL = f"simulated:?batch_ms=3&message_us=20&fatal={DEADLY}"
#: Messages of one job: so that a job is two envelopes.
JOB_MESSAGES = 300
#: One in so many messages is posted alone.
ALONE = 51
LOOK_EVERY_S = 0.2


@dataclass
class Loop:
    """One run: what was accepted, and what became of it."""

    folder: Path
    broker: str
    delivery_limit: int
    messages: int
    deadly: int
    limit_s: float
    restart_wait_s: float = 30.0
    starts: int = 0
    jobs: list[str] = field(default_factory=list)

    def run(self, note: Callable[[str], None] = progress) -> Row:
        """Accept, crash, wait until all jobs are finished or the time is over, and count."""
        for name in ("store", "rabbit"):
            (self.folder / name).mkdir(parents=True)
        store = RedisServer(self.folder / "store")
        rabbit = RabbitServer(self.folder / "rabbit") if self.broker == "rabbitmq" else None
        store.start()
        try:
            if rabbit is not None:
                rabbit.start()
                if self.delivery_limit:
                    rabbit.set_policy("limit", ".*", {"delivery-limit": self.delivery_limit})
            url = rabbit.url if rabbit else store.url
            env = environment(url, store.url, model=MODEL, restart_wait_s=self.restart_wait_s)
            return self._with_servers(env, note)
        finally:
            if rabbit is not None:
                rabbit.close()
            store.stop()

    def _with_servers(self, env: dict[str, str], note: Callable[[str], None]) -> Row:
        began = time.monotonic()
        worker = Worker(self.folder, {**env, "SLUICE_MODEL": "simulated:"}).ready()  # it declares the queues
        worker.stop()
        web = Web(self.folder, env)
        try:
            self._submit(web)
            note(f"{self.broker}: {self.messages} messages accepted in {len(self.jobs)} jobs, {self.deadly} deadly")
            accepted = time.monotonic()
            finished = self._crash(web, env, note)
            seconds = time.monotonic() - accepted
            found = self._count(web)
        finally:
            web.stop()
        row = {
            "broker": self.broker,
            "delivery_limit": self.delivery_limit if self.broker == "rabbitmq" else "",
            "messages": self.messages,
            "deadly": self.deadly,
            "answered": found["answered"],
            "given_up": found["too_many_deliveries"],
            "other_errors": found["other"],
            "unanswered": self.messages - found["answered"] - found["too_many_deliveries"] - found["other"],
            "jobs_finished": f"{finished} of {len(self.jobs)}",
            "worker_starts": self.starts,
            "seconds": round(seconds, 1),
        }
        note(f"{self.broker}: {row} ({time.monotonic() - began:.0f} s in all)")
        return row

    def _submit(self, web: Web) -> None:
        every = max(1, self.messages // max(1, self.deadly))
        deadly = {every // 3 + every * number for number in range(self.deadly)}
        texts = [f"message {i} {DEADLY if i in deadly else ''}".strip() for i in range(self.messages)]
        alone = texts[::ALONE]
        together = [text for i, text in enumerate(texts) if i % ALONE]
        _until_alive(web)
        for text in alone:
            self._accepted(web.ask("POST", "/jobs", {"texts": [text]}))
        for at in range(0, len(together), JOB_MESSAGES):
            self._accepted(web.ask("POST", "/jobs", {"texts": together[at : at + JOB_MESSAGES], "lane": "interactive"}))

    def _accepted(self, reply: Any) -> None:
        if reply.status != 202:
            raise RuntimeError(f"not accepted: {reply.status} {reply.body!r}")
        self.jobs.append(reply.json["id"])

    def _crash(self, web: Web, env: dict[str, str], note: Callable[[str], None]) -> int:
        """Start a worker whenever there is none, until every job is finished; returns how many are."""
        worker: Worker | None = None
        left, ends, said = set(self.jobs), time.monotonic() + self.limit_s, time.monotonic()
        try:
            while left and time.monotonic() < ends:
                if worker is None or worker.returncode is not None:
                    worker = Worker(self.folder, env)
                    self.starts += 1
                for job in list(left):
                    if web.ask("GET", f"/jobs/{job}").json["state"] not in ("queued", "running"):
                        left.discard(job)
                if time.monotonic() - said > 10:
                    said = time.monotonic()
                    note(f"{self.broker}: {self.starts} starts, {len(self.jobs) - len(left)} jobs finished")
                time.sleep(LOOK_EVERY_S)
        finally:
            if worker is not None:
                worker.stop()
        return len(self.jobs) - len(left)

    def _count(self, web: Web) -> Counter[str]:
        found: Counter[str] = Counter()
        for job in self.jobs:
            for entry in web.ask("GET", f"/jobs/{job}/results?limit=10000").json["results"]:
                code = entry["error"]["code"] if "error" in entry else "answered"
                found[code if code in ("answered", "too_many_deliveries") else "other"] += 1
        return found


def _until_alive(web: Web) -> None:
    from tests.harness.process import wait_for

    def alive() -> bool:
        try:
            return bool(web.ask("GET", "/healthz").status == 200)
        except OSError:
            return False

    wait_for(alive, "the web process", 30, 0.1)


def accounted(row: Row) -> bool:
    """Whether nothing was lost, only deadly messages were given up, and nobody waits any more."""
    jobs, _, of = str(row["jobs_finished"]).partition(" of ")
    good = int(row["messages"]) - int(row["deadly"])
    return row["answered"] == good and row["given_up"] == row["deadly"] and not row["unanswered"] and jobs == of


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sluice.bench.crash_loop",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--messages", type=int, default=3_060)
    parser.add_argument("--deadly", type=int, default=3, help="messages that take the device down")
    parser.add_argument("--delivery-limit", type=int, default=20, help="of every queue on RabbitMQ; 0: no policy")
    parser.add_argument("--broker", choices=BROKERS, help="that one only")
    parser.add_argument("--limit-s", type=float, default=900.0, help="seconds after which a run has failed")
    parser.add_argument("--out", type=Path, default=Path("bench-results/crash_loop"))
    options = parser.parse_args(argv)
    results = Results(options.out, measurement="crash_loop", **{k: v for k, v in vars(options).items() if k != "out"})
    rows: list[Row] = []
    with without_own_settings(), tempfile.TemporaryDirectory(prefix="sl-loop-") as name:
        for broker in (options.broker,) if options.broker else BROKERS:
            loop = Loop(
                Path(name, broker), broker, options.delivery_limit, options.messages, options.deadly, options.limit_s
            )
            rows.append(loop.run())
    results.table("crash_loop", rows)
    print_table("Messages accepted before a crash loop", rows)
    return 0 if all(map(accounted, rows)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
