"""Two Redis servers, one of which follows the other, behind one address; and a change of places between them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from sluice.harness.process import free_port, wait_for
from sluice.harness.servers import RedisServer

READ_BYTES = 65_536


class Address:
    """A TCP port that passes each new connection on to the server that is in charge; old ones stay where they are."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.target = target
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.target), 5)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                self._sockets |= {client, server}
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(READ_BYTES):
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Pair:
    """A primary and its replica at one ``url``.

    Raises:
        Missing: redis-server is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self.servers: list[RedisServer] = []
        for name in ("a", "b"):
            (folder / name).mkdir(parents=True)
            self.servers.append(RedisServer(folder / name))
        self._clients = [redis.Redis.from_url(server.url) for server in self.servers]

    def __enter__(self) -> Self:
        for server in self.servers:
            server.start()
        self.address = Address(self.servers[0].port)
        self.url = f"redis://127.0.0.1:{self.address.port}/0"
        self._follow(1, 0)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.address.close()
        for server in self.servers:
            server.stop()

    def change_places(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """What a planned failover does: writes are held, the replica catches up and is promoted, the other follows it.

        Args:
            meanwhile: called when nobody is in charge: the one is a replica already, and the address still leads to it.
        """
        old = 0 if self.address.target == self.servers[0].port else 1
        primary, replica = self._clients[old], self._clients[1 - old]
        primary.client_pause(20_000, all=False)
        wait_for(lambda: _offset(primary) == _offset(replica), "the replica to catch up")
        replica.replicaof("NO", "ONE")
        self._follow(old, 1 - old, wait=False)
        primary.client_unpause()
        meanwhile()
        self.address.target = self.servers[1 - old].port
        self._follow(old, 1 - old)

    def _follow(self, follower: int, leader: int, *, wait: bool = True) -> None:
        client = self._clients[follower]
        client.replicaof("127.0.0.1", str(self.servers[leader].port))
        if wait:
            wait_for(lambda: client.info("replication").get("master_link_status") == "up", "the replica")


def _offset(client: redis.Redis) -> int:
    facts = client.info("replication")
    return int(facts["master_repl_offset"] if facts["role"] == "master" else facts["slave_repl_offset"])
