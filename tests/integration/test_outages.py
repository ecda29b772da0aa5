"""What is said when a broker or a result backend cannot be used: one line with setting and cause, and no password."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from sluice.cli.processes import environment, sluice
from sluice.harness.process import free_port
from sluice.harness.servers import Missing, RabbitServer, RedisServer
from sluice.harness.worker import SIMULATED
from tests.conftest import missing

PASSWORD, TEXT = "hunter2", "SECRET text of a message"
BROKER, BACKEND = "SLUICE_BROKER_URL", "SLUICE_RESULT_BACKEND"

Env = dict[str, str]
Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Trouble:
    """A broker or a backend that cannot be used.

    Attributes:
        says: what the line must hold.
        setting: the variable that it must name.
        ends_worker: whether a worker that finds it at its start ends.
    """

    says: str
    env: Callable[[Servers], Env]
    setting: str = BROKER
    ends_worker: bool = True


@dataclass(frozen=True)
class Servers:
    """Real servers that refuse in different ways, by the address of each."""

    plain: str
    locked: str
    narrow: str
    full: str
    tls: str
    rabbit: str


def redis_at(place: str, login: str = "", scheme: str = "redis", database: str = "0") -> str:
    return f"{scheme}://{login}{place}/{database}"


def rabbit_at(place: str, login: str = f"guest:{PASSWORD}", path: str = "/", scheme: str = "amqp") -> str:
    return f"{scheme}://{login}@{place}/{path}"


def on_rabbit(broker: str, servers: Servers) -> Env:
    return {BROKER: broker, BACKEND: redis_at(servers.plain)}


TROUBLES = {
    "no password": Trouble("asks for a password", lambda on: {BROKER: redis_at(on.locked)}),
    "wrong password": Trouble(
        "refuses the user name or the password", lambda on: {BROKER: redis_at(on.locked, f":{PASSWORD}@")}
    ),
    "unknown user": Trouble(
        "refuses the user name or the password", lambda on: {BROKER: redis_at(on.plain, f"bob:{PASSWORD}@")}
    ),
    "no permission": Trouble(
        "does not allow this user enough", lambda on: {BROKER: redis_at(on.narrow, f"bob:{PASSWORD}@")}
    ),
    "database": Trouble("has no such database", lambda on: {BROKER: redis_at(on.plain, database="99")}),
    "full": Trouble("is full, at its maxmemory", lambda on: {BROKER: redis_at(on.full)}, ends_worker=False),
    "plain to TLS": Trouble(
        "needs rediss://", lambda on: {BROKER: redis_at(on.tls, f":{PASSWORD}@")}, ends_worker=False
    ),
    "untrusted": Trouble("a certificate that is not trusted", lambda on: {BROKER: redis_at(on.tls, scheme="rediss")}),
    "unknown host": Trouble(
        "unknown host name",
        lambda on: {BROKER: redis_at("no-such-host.invalid:6379", f":{PASSWORD}@")},
        ends_worker=False,
    ),
    "refused": Trouble(
        "connection refused", lambda on: {BROKER: redis_at("127.0.0.1:1", f":{PASSWORD}@")}, ends_worker=False
    ),
    "Redis at RabbitMQ's port": Trouble(
        "another kind of server", lambda on: {BROKER: redis_at(on.rabbit)}, ends_worker=False
    ),
    "backend, wrong password": Trouble(
        "refuses the user name or the password",
        lambda on: {BROKER: redis_at(on.plain), BACKEND: redis_at(on.locked, f":{PASSWORD}@")},
        BACKEND,
    ),
    "backend, refused": Trouble(
        "connection refused",
        lambda on: {BROKER: redis_at(on.plain), BACKEND: redis_at("127.0.0.1:1", f":{PASSWORD}@")},
        BACKEND,
        ends_worker=False,
    ),
    "RabbitMQ, wrong password": Trouble(
        "refuses the user name or the password", lambda on: on_rabbit(rabbit_at(on.rabbit), on)
    ),
    "RabbitMQ, unknown user": Trouble(
        "refuses the user name or the password", lambda on: on_rabbit(rabbit_at(on.rabbit, f"bob:{PASSWORD}"), on)
    ),
    "RabbitMQ, virtual host": Trouble(
        "virtual host (vhost nope not found)", lambda on: on_rabbit(rabbit_at(on.rabbit, "guest:guest", "nope"), on)
    ),
    "RabbitMQ, no TLS": Trouble("does not speak TLS", lambda on: on_rabbit(rabbit_at(on.rabbit, scheme="amqps"), on)),
    "RabbitMQ, refused": Trouble(
        "connection refused", lambda on: on_rabbit(rabbit_at("127.0.0.1:1"), on), ends_worker=False
    ),
    "RabbitMQ, unknown host": Trouble(
        "unknown host name", lambda on: on_rabbit(rabbit_at("no-such-host.invalid"), on), ends_worker=False
    ),
    "RabbitMQ, no backend": Trouble(
        "RabbitMQ (SLUICE_BROKER_URL) keeps no results",
        lambda on: {BROKER: rabbit_at(on.rabbit, "guest:guest")},
        BACKEND,
    ),
}


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer, rabbit_server: RabbitServer
) -> Iterator[Servers]:
    tls_port, folder = free_port(), tmp_path_factory.mktemp("tls")
    certificate(folder)
    tls = f"--tls-port {tls_port} --tls-cert-file {folder}/cert.pem --tls-key-file {folder}/key.pem"
    options = {
        "locked": ("--requirepass right", ":right@"),
        "narrow": (f"--user default on nopass ~* &* +@all --user bob on >{PASSWORD} ~x* +get", ""),
        "full": ("--maxmemory 1mb --maxmemory-policy noeviction", ""),
        "tls": (f"{tls} --tls-ca-cert-file {folder}/cert.pem --tls-auth-clients no", ""),
    }
    made = {
        name: RedisServer(tmp_path_factory.mktemp(name), *words.split(), login=login)
        for name, (words, login) in options.items()
    }
    try:
        for server in made.values():
            server.start()
        places = {name: place(server.url) for name, server in made.items()}
        places |= {"plain": place(redis_server.url), "rabbit": place(rabbit_server.url), "tls": f"127.0.0.1:{tls_port}"}
        yield Servers(**places)
    except Missing as exc:
        missing(exc)
    finally:
        for server in made.values():
            server.stop()


def place(url: str) -> str:
    """Host and port."""
    return url.partition("://")[2].rpartition("@")[2].partition("/")[0]


def certificate(folder: Path) -> None:
    """A certificate that nobody vouches for."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=127.0.0.1"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(env: Env, *arguments: str) -> subprocess.CompletedProcess[str]:
        settings = {"SLUICE_STATE_DIR": f"/tmp/sl-{uuid4().hex[:8]}", "SLUICE_MODEL": SIMULATED}
        done = subprocess.run(
            sluice(*arguments),
            cwd=tmp_path,
            env=environment(**settings) | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        output = done.stdout + done.stderr
        assert "Traceback" not in output
        assert PASSWORD not in output
        assert TEXT not in output
        return done

    return call


@pytest.mark.parametrize("command", ["predict", "backfill"])
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_command_says_in_one_line_what_is_wrong(
    servers: Servers,
    run: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    trouble: Trouble,
    command: str,
) -> None:
    (tmp_path / "in.csv").write_text(f"text\n{TEXT}\n")
    arguments = {"predict": ("predict", TEXT), "backfill": ("backfill", "in.csv", "-o", "out.csv")}[command]
    done = run(trouble.env(servers), *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    *progress, line = done.stderr.splitlines()
    assert set(progress) <= {"sluice: looking through the input"}  # said of what takes a while
    assert line.startswith("sluice: ")
    assert trouble.says in line
    assert trouble.setting in line


@pytest.mark.parametrize(
    "trouble",
    [one for one in TROUBLES.values() if one.ends_worker],
    ids=[name for name, one in TROUBLES.items() if one.ends_worker],
)
def test_a_worker_ends_over_what_will_not_pass(servers: Servers, run: Run, trouble: Trouble) -> None:
    done = run(trouble.env(servers), "worker")
    assert done.returncode in (1, 78)
    (line,) = (done.stdout + done.stderr).splitlines()
    assert trouble.says in line
    assert trouble.setting in line
