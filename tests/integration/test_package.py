"""The package as a stranger gets it: built, installed beside modules of the same names as its parts, used."""

from __future__ import annotations

import email
import http.client
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pytest

from sluice.config.settings import DEFAULT_MODEL
from sluice.harness.process import Child, free_port
from sluice.harness.servers import Missing
from sluice.harness.venv import Venv, build, copy_sources, pip
from sluice.harness.web import Reply, exchange
from tests.conftest import missing

#: Modules that any project may have, called as Sluice's parts are in a checkout.
FOREIGN = ("tasks", "config", "web", "worker", "cli", "backfill", "training", "models", "samples")
HEAVY = ("torch", "transformers", "numpy", "pyarrow", "matplotlib", "flask", "granian", "flower", "sklearn")
SERVICE = "pip install 'sluice[service]'"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_sources(tmp_path_factory.mktemp("package") / "sources")


@pytest.fixture(scope="module")
def wheel(sources: Path) -> Path:
    """The wheel that pip makes of the source distribution."""
    out = sources.parent
    try:
        pip("wheel", "--no-deps", "--wheel-dir", str(out), str(build("sdist", sources, out)))
    except Missing as exc:
        missing(exc)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def client(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Venv:
    """An environment with the wheel and what its metadata asks for, installed by pip: no extra."""
    venv = Venv(tmp_path_factory.mktemp("client"))
    try:
        venv.install(str(wheel))
    except Missing as exc:
        missing(exc)
    return venv


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of somebody else, whose modules end whatever imports them."""
    folder = tmp_path_factory.mktemp("foreign")
    for name in FOREIGN:
        (folder / f"{name}.py").write_text(f"raise SystemExit('a foreign {name}.py was imported')\n")
    return folder


@dataclass(frozen=True)
class Place:
    """Where commands run: a foreign project's folder, an environment, a state folder."""

    folder: Path
    env: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        return subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture(scope="module")
def place(foreign: Path) -> Iterator[Place]:
    state = Path(mkdtemp(prefix="sl-"))  # a socket's path has little room
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    yield Place(foreign, env | {"SLUICE_STATE_DIR": str(state), "COLUMNS": "200"})
    shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="module")
def venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Venv:
    """An environment with the wheel, and all that its extras ask for."""
    venv = Venv(tmp_path_factory.mktemp("service"), lent=True)
    venv.install("--no-deps", "--no-index", str(wheel))
    return venv


@pytest.fixture(scope="module")
def service(venv: Venv, place: Place) -> Iterator[Callable[..., Reply]]:
    """``sluice up`` from the wheel, with the shipped model; call it for one HTTP request."""
    port = free_port()
    env = {**place.env, "SLUICE_PORT": str(port), "SLUICE_DEVICE": "cpu", "SLUICE_MODEL_THREADS": "1"}
    log = venv.packages.parent / "up.log"
    up = Child([venv.script("sluice"), "up", "--no-flower"], log, env, cwd=place.folder)

    def ask(method: str, path: str, body: object = None) -> Reply:
        return exchange(http.client.HTTPConnection("127.0.0.1", port, timeout=30), method, path, body)

    try:
        up.wait_for_output("| ready", 90)
        yield ask
        assert up.stop() == 0, up.output()
    finally:
        up.kill()


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_the_wheel_holds_what_runs_and_nothing_else(wheel: Path, sources: Path) -> None:
    found = names(wheel)
    tops = {name.partition("/")[0] for name in found}
    assert {re.sub(r"-\d.*\.dist-info", ".dist-info", top) for top in tops} == {"sluice", "sluice.dist-info"}
    modules = {f"sluice/{path.relative_to(sources)}" for path in sources.glob("*/**/*.py")}
    wanted = {name for name in modules if not name.startswith(("sluice/bench/", "sluice/harness/", "sluice/sluice/"))}
    assert {name for name in found if name.endswith(".py")} == wanted | {"sluice/__init__.py"}
    assert found >= {
        "sluice/py.typed", "sluice/models/sms-mini/model.safetensors", "sluice/models/sms-mini/README.md",
        "sluice/models/sms-base/model.safetensors", "sluice/models/sms-base/sluice.json",
        "sluice/samples/archive.csv", "sluice/training/phrases/en.txt", "sluice/training/hard_cases.csv",
        "sluice/web/static/home.html", "sluice/web/static/swagger-ui/LICENSE", "sluice/web/static/swagger-ui/NOTICE",
        "sluice/backfill/report/page/templates/page.html",
        "sluice/backfill/report/page/templates/report.css", "sluice/worker/model/golden.txt", "sluice/docs/http.md",
    }  # fmt: skip
    assert not [name for name in found if "__pycache__" in name or "/tests/" in name or name.endswith(".pyc")]
    assert [name for name in found if name.endswith("dist-info/licenses/LICENSE")]


def test_the_wheel_of_the_sources_is_that_of_the_source_distribution(wheel: Path, sources: Path) -> None:
    (sources.parent / "direct").mkdir()
    assert names(build("wheel", sources, sources.parent / "direct")) == names(wheel)


def test_the_page_of_the_package_needs_no_files_beside_it(wheel: Path) -> None:
    told, page = metadata(wheel), str(metadata(wheel).get_payload())
    assert told["Description-Content-Type"] == "text/markdown"
    assert page.lstrip().startswith("# Sluice")
    assert all(target.startswith(("https:", "http:")) for target in re.findall(r"\]\(([^)]*)\)", page))
    told_of = {match.rstrip(".,") for match in re.findall(r"`(sluice/[\w./-]+)`", page)}
    assert told_of
    assert told_of <= names(wheel)
    assert {"client", "service"} - set(told.get_all("Provides-Extra", [])) == {"client"}
    assert all(url.partition(", ")[2].startswith("https://") for url in told.get_all("Project-URL", []))


def test_a_client_gets_nothing_heavy(client: Venv, place: Place) -> None:
    code = "from importlib.util import find_spec; import sys; print([one for one in sys.argv[1:] if find_spec(one)])"
    assert place.run(client.script("python"), "-c", code, *HEAVY).stdout == "[]\n"


def test_an_installed_service_classifies_beside_foreign_modules(service: Callable[..., Reply]) -> None:
    answer = service("POST", "/predict/", {"text": "WIN a prize now, call 0900 123"})
    assert answer.status == 200, answer.body
    assert answer.json["model_info"]["name"] == DEFAULT_MODEL.name
    assert service("GET", "/docs").status == 200


def test_a_client_classifies_through_an_installed_service(
    client: Venv, service: Callable[..., Reply], place: Place
) -> None:
    code = "from sluice.tasks import classify; print(classify.delay(['see you at 8', 'hello']).get(timeout=30))"
    done = place.run(client.script("python"), "-c", code)
    assert done.stdout.count("'label'") == 2, done.stdout + done.stderr
    done = place.run(client.script("sluice"), "predict", "--json", "see you at 8")
    assert json.loads(done.stdout)["label"] == "ham", done.stderr
    done = place.run(client.script("python"), "-m", "celery", "-A", "sluice.tasks", "inspect", "ping")
    assert "pong" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments", [["--help"], ["config"], ["up", "--help"], ["backfill", "--help"], ["train", "-h"]]
)
def test_what_a_client_can_do_without_the_service(client: Venv, place: Place, arguments: list[str]) -> None:
    done = place.run(client.script("sluice"), *arguments)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


@pytest.mark.parametrize("way", [[], ["--local", "--report", "report.html"]], ids=["queue", "local"])
def test_an_installed_backfill_runs_beside_foreign_modules(
    venv: Venv, service: Callable[..., Reply], place: Place, way: list[str]
) -> None:
    out = place.folder / f"out-{len(way)}.csv"
    (place.folder / "texts.csv").write_text("text\nsee you at 8\nWIN a prize now\n")
    done = place.run(venv.script("sluice"), "backfill", "texts.csv", "-o", str(out), *way)
    assert done.returncode == 0, done.stderr
    assert out.read_text().count(DEFAULT_MODEL.name) == 2


def test_the_version_is_that_of_the_wheel(client: Venv, place: Place, wheel: Path) -> None:
    assert place.run(client.script("sluice"), "--version").stdout == f"sluice {metadata(wheel)['Version']}\n"


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ("up", SERVICE),
        ("up --no-worker --no-flower", "pip install 'sluice[web]'"),
        ("web", "pip install 'sluice[web]'"),
        ("worker", "pip install 'sluice[worker]'"),
        ("worker --processes 2", "pip install 'sluice[worker]'"),
        ("tune", "pip install 'sluice[worker]'"),
        ("flower", "pip install 'sluice[flower]'"),
        ("backfill in.csv -o out.csv", "pip install 'sluice[backfill]'"),
        ("backfill in.csv -o out.csv --local", SERVICE),
        ("train in.csv", "pip install 'sluice[train]'"),
        ("evaluate model in.csv", "pip install 'sluice[train]'"),
        ("bench", "needs a checkout"),
        ("bench http --runs 1", "needs a checkout"),
    ],
)
def test_what_a_client_lacks_is_said_in_one_line(client: Venv, place: Place, arguments: str, advice: str) -> None:
    (place.folder / "in.csv").write_text("text,label\nhello,ham\nwin,spam\n")
    done = place.run(client.script("sluice"), *arguments.split())
    assert done.returncode == 1
    assert done.stderr.startswith(f"sluice: `sluice {arguments.partition(' ')[0]}` needs ")
    assert advice in done.stderr
    assert done.stderr.count("\n") == 1
    assert not done.stdout


def test_a_worker_of_celerys_own_command_says_what_it_lacks(client: Venv, place: Place) -> None:
    done = place.run(client.script("celery"), "-A", "sluice.tasks", "worker")
    assert done.returncode != 0
    assert "pip install 'sluice[worker]'" in done.stderr
    assert "Traceback" not in done.stderr
