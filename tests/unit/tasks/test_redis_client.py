"""URLs of the result backend as redis-py's options."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.tasks.redis_client import connect


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis+socket:///run/r.sock", {"path": "/run/r.sock", "db": None}),
        ("redis+socket:///run/r.sock?virtual_host=3", {"path": "/run/r.sock", "db": 3}),
        ("redis+socket:///run/r.sock?virtual_host=/3", {"path": "/run/r.sock", "db": 3}),
        ("redis+socket:///run/r.sock?health_check_interval=7&virtual_host=3", {"db": 3, "health_check_interval": 7}),
        ("redis+socket://:p%40ss@/run/r.sock?virtual_host=2", {"path": "/run/r.sock", "password": "p@ss", "db": 2}),
        ("redis+socket://me:pass@/run/r.sock", {"path": "/run/r.sock", "username": "me", "password": "pass"}),
        ("redis://:pass@host:7/4", {"host": "host", "port": 7, "password": "pass", "db": 4}),
    ],
)
def test_every_part_of_a_url_counts(url: str, expected: dict[str, Any]) -> None:
    options = connect(url).connection_pool.connection_kwargs
    assert {name: options.get(name) for name in expected} == expected
