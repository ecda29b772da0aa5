"""Counts of a backfill: rows, labels, errors, time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cli.backfill.row import Row


@dataclass
class Tally:
    """What has been written so far."""

    labels: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            entry = row.entry or {}
            if "error" in entry:
                self.errors[entry["error"]["code"]] += 1
            else:
                self.labels[entry["label"]] += 1

    @property
    def rows(self) -> int:
        return self.labels.total() + self.errors.total()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def rate(self) -> float:
        """Rows a second since the start."""
        return self.rows / max(self.seconds, 1e-6)

    def summary(self) -> str:
        """Label and error counts in one line."""
        parts = [f"{label} {count:,}" for label, count in sorted(self.labels.items())]
        if self.errors:
            parts.append(f"errors {self.errors.total():,}")
        return "  ".join(parts)
