"""Several workers start as a deployment starts them: Celery's default options, queues that are not empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.harness.starts import WAYS, faults
from tests.conftest import Brokers


@pytest.mark.parametrize("way", WAYS)
def test_two_workers_start_on_full_queues(brokers: Brokers, folder: Path, way: str) -> None:
    """``python -m sluice.bench.starts`` does it twenty times."""
    assert faults(WAYS[way], folder, brokers.env()) == []
