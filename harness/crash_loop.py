"""A crash loop: of the messages that are accepted some take their worker's device down, and workers start again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice.harness.process import wait_for
from sluice.harness.servers import RabbitServer, RedisServer
from sluice.harness.web import Web
from sluice.harness.worker import Worker, environment

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

    def run(self, note: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
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

    def _with_servers(self, env: dict[str, str], note: Callable[[str], None]) -> dict[str, Any]:
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
        wait_for(web.alive, "the web process", 30, 0.1)
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


def accounted(row: Mapping[str, Any]) -> bool:
    """Whether nothing was lost, only deadly messages were given up, and nobody waits any more."""
    jobs, _, of = str(row["jobs_finished"]).partition(" of ")
    good = int(row["messages"]) - int(row["deadly"])
    return row["answered"] == good and row["given_up"] == row["deadly"] and not row["unanswered"] and jobs == of
