"""The section on throughput: rows a second in the course of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sluice.backfill.report import plots
from sluice.backfill.report.page.labels import Labels
from sluice.backfill.report.page.view import Nothing, Picture, Section
from sluice.backfill.report.words import duration, rate
from sluice.backfill.run.stats import RunStats

#: Points of the curve.
CURVE_POINTS = 90


@dataclass(frozen=True, slots=True)
class Throughput:
    """A curve."""

    template: ClassVar[str] = "throughput.html"
    picture: Picture


def throughput(stats: RunStats, labels: Labels) -> Section:
    at, done = _curve(stats)
    if len(at) < 3:
        return Nothing("Throughput", "The run was too short for a curve.")
    edges = np.linspace(0, at[-1], min(CURVE_POINTS, len(at) - 1) + 1)
    rates = np.diff(np.interp(edges, at, done)) / np.diff(edges)
    restarts = [second for second in stats.restarts if 0 < second < at[-1]]
    mean, most = rate(stats.rows, stats.seconds), rate(rates.max(), 1)
    whole = f"Rows written a second: {mean} on average over {duration(stats.seconds)}; {most} in the quickest part."
    if restarts:
        times = "once" if len(restarts) == 1 else f"{len(restarts)} times"
        whole += f" The run was stopped and carried on {times} (dashed lines)."
    return Throughput(
        labels.picture(
            lambda look: plots.throughput(look.theme, edges, rates, restarts),
            f"Curve of the rate over the run. {whole}",
            whole,
        )
    )


def _curve(stats: RunStats) -> tuple[np.ndarray, np.ndarray]:
    """Times (s) and rows done by then, both from 0 on and rising."""
    points = np.array([(0.0, 0), *stats.samples], dtype=float)
    rising = np.concatenate([[True], np.diff(np.maximum.accumulate(points[:, 0])) > 0])
    return points[rising, 0], np.maximum.accumulate(points[:, 1])[rising]
