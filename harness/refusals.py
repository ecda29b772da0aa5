"""A Redis that goes on answering and refuses to work, until it is told to take it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import redis

from sluice.harness.process import free_port, wait_for


@contextmanager
def replica(client: redis.Redis, folder: Path) -> Iterator[None]:
    """READONLY: it follows another one now, as after a failover."""
    client.replicaof("127.0.0.1", str(free_port()))
    yield
    client.replicaof("NO", "ONE")


@contextmanager
def full(client: redis.Redis, folder: Path) -> Iterator[None]:
    """OOM, and every connection is lost."""
    client.config_set("maxmemory", 1)
    for kind in ("normal", "pubsub"):
        client.client_kill_filter(_type=kind, skipme=True)
    yield
    client.config_set("maxmemory", 0)


@contextmanager
def no_disk(client: redis.Redis, folder: Path) -> Iterator[None]:
    """MISCONF: it cannot save, for there is a folder where its file should be."""
    in_the_way = folder / "dump.rdb"
    in_the_way.mkdir()
    client.config_set("save", "900 1")
    client.bgsave()
    wait_for(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "a save that fails")
    yield
    in_the_way.rmdir()
    client.config_set("save", "")


@contextmanager
def no_replicas(client: redis.Redis, folder: Path) -> Iterator[None]:
    """NOREPLICAS: too few follow it to take a write."""
    client.config_set("min-replicas-to-write", 1)
    yield
    client.config_set("min-replicas-to-write", 0)


Refusal = Callable[[redis.Redis, Path], AbstractContextManager[None]]
REFUSALS: dict[str, Refusal] = {"READONLY": replica, "OOM": full, "MISCONF": no_disk, "NOREPLICAS": no_replicas}
