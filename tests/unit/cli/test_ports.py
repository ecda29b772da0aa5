"""An address that cannot be had is one line that names the setting, before any part starts."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from sluice.harness.process import free_port
from tests.unit.cli.conftest import Run


@pytest.fixture
def taken() -> Iterator[str]:
    """A port that a foreign process listens on."""
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", 0))
        foreign.listen()
        yield str(foreign.getsockname()[1])


def complaint(run: Run, command: str, **env: str) -> str:
    ports = {"SLUICE_PORT": str(free_port()), "SLUICE_FLOWER_PORT": str(free_port())}
    done = run(command, **(ports | env))
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        ("web", "SLUICE_PORT"),
        ("up", "SLUICE_PORT"),
        ("up", "SLUICE_FLOWER_PORT"),
        ("flower", "SLUICE_FLOWER_PORT"),
    ],
)
def test_a_port_in_use(run: Run, taken: str, command: str, setting: str) -> None:
    line = complaint(run, command, **{setting: taken})
    assert f"127.0.0.1:{taken} (Address already in use): set {setting} to another port" in line


def test_one_port_for_two_parts(run: Run) -> None:
    port = str(free_port())
    line = complaint(run, "up", SLUICE_PORT=port, SLUICE_FLOWER_PORT=port)
    assert f"SLUICE_PORT and SLUICE_FLOWER_PORT are both {port}" in line


@pytest.mark.parametrize("command", ["web", "up"])
@pytest.mark.parametrize("host", ["999.1.1.1", "no-such-host.invalid", "[::1]", "203.0.113.7", "a..b", "x" * 300])
def test_a_host_that_is_none_of_this_machine(run: Run, command: str, host: str) -> None:
    line = complaint(run, command, SLUICE_HOST=host)
    assert "SLUICE_HOST" in line
    assert "SLUICE_PORT" not in line
