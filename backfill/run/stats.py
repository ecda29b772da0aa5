"""Counts of a backfill, over all of its runs; kept in the checkpoint."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sluice.tasks.wire.entry import Entry, fault_of, is_prediction

#: Points of the throughput curve that are kept; beyond it every other one goes.
MAX_SAMPLES = 2_000


@dataclass
class RunStats:
    """What has been written so far.

    Attributes:
        labels, errors: rows by label and by error code.
        versions: rows by ``model version``.
        sent: rows whose text went to a model; the other good ones were ``saved``.
        saved: rows answered by an identical text of the same run.
        earlier_s: seconds that earlier runs of this backfill took.
        samples: ``(seconds since the start, rows)`` now and then, over all runs.
        restarts: seconds since the start at which later runs took over.
        notes: sentences about the input that the reader of a report should know.
    """

    labels: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    saved: int = 0
    earlier_s: float = 0.0
    runs: int = 1
    samples: list[tuple[float, int]] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    resumed_at: int = 0

    def stop(self) -> None:
        """The clock stands still from here on: what is made of the output takes time too, and is no backfill."""
        self.ended = time.monotonic()

    def add(self, entries: Iterable[Entry]) -> None:
        """Count the answers of rows that are written."""
        labels, errors, versions = self.labels, self.errors, self.versions
        for entry in entries:
            if is_prediction(entry):
                labels[entry["label"]] += 1
                versions[f"{entry['model']} {entry['version']}"] += 1
            else:
                errors[fault_of(entry)["code"]] += 1

    def sample(self) -> None:
        """Note how far the run is now."""
        self.samples.append((round(self.seconds, 3), self.rows))
        if len(self.samples) > MAX_SAMPLES:
            self.samples = self.samples[::2]

    @property
    def rows(self) -> int:
        return self.labels.total() + self.errors.total()

    @property
    def run_s(self) -> float:
        """Seconds of this run."""
        return (time.monotonic() if self.ended is None else self.ended) - self.started

    @property
    def seconds(self) -> float:
        """Seconds of all runs."""
        return self.earlier_s + self.run_s

    @property
    def rate(self) -> float:
        """Rows a second, of this run."""
        return (self.rows - self.resumed_at) / max(self.run_s, 1e-6)

    def summary(self) -> str:
        """Label and error counts, and what duplicates saved, in one line."""
        parts = [f"{label} {count:,}" for label, count in sorted(self.labels.items())]
        if self.errors:
            parts.append(f"errors {self.errors.total():,}")
        if self.saved:
            parts.append(f"duplicates saved {self.saved:,}")
        return "  ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """What the checkpoint keeps."""
        return {
            "labels": dict(self.labels),
            "errors": dict(self.errors),
            "versions": dict(self.versions),
            "sent": self.sent,
            "saved": self.saved,
            "seconds": round(self.seconds, 3),
            "runs": self.runs,
            "samples": self.samples,
            "restarts": self.restarts,
            "notes": self.notes,
        }

    @classmethod
    def carried_on(cls, kept: dict[str, Any]) -> RunStats:
        """The stats of the next run, from what ``as_json`` gave."""
        stats = cls(
            Counter(kept["labels"]),
            Counter(kept["errors"]),
            Counter(kept["versions"]),
            kept["sent"],
            kept["saved"],
            kept["seconds"],
            kept["runs"] + 1,
            [(at, rows) for at, rows in kept["samples"]],
            [*kept["restarts"], kept["seconds"]],
            list(kept["notes"]),
        )
        stats.resumed_at = stats.rows
        return stats
