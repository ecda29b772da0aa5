"""Sluice beside small honest implementations of the same work with other libraries (``docs/peers.md``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluice.bench.results import Results
    from sluice.bench.statistics import Row

# Imports wait: every peer's process imports this package, and needs none of the measurement.


def run(texts: Sequence[str], **options: Any) -> list[Row]:
    """``sluice.bench.peers.measurement.run``."""
    from sluice.bench.peers import measurement

    return measurement.run(texts, **options)


def report(rows: Sequence[Row], results: Results) -> None:
    """``sluice.bench.peers.comparison.report``."""
    from sluice.bench.peers import comparison

    comparison.report(rows, results)
