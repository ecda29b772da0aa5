"""What the tests of archives send, and what they look at afterwards."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sluice.backfill.archive.folder import Description, Folder
from sluice.config.settings import Settings, read
from sluice.harness.process import wait_for
from sluice.web.archives.runner_process import RunnerCommand
from sluice.web.archives.store import ArchiveStore
from sluice.web.archives.supervisor import RunnerSupervisor

ROOT = Path(__file__).resolve().parents[4]
COMMAND = RunnerCommand((sys.executable, str(Path(__file__).resolve().parents[1] / "fake_runner.py")))
GOOD = b"text,n\nsee you at 8,1\nwin a prize,2\n"
MakeApp = Callable[..., Flask]


def settings_in(root: Path, **overrides: object) -> Settings:
    return read(_env_file=None, **({"archive_dir": root, "max_archive_bytes": 100_000} | overrides))


def upload(http: FlaskClient, content: bytes = GOOD, name: str = "sms.csv", **fields: Any) -> TestResponse:
    headers = {"Idempotency-Key": fields.pop("key")} if "key" in fields else {}
    return http.post("/archives", data={**fields, "file": (io.BytesIO(content), name)}, headers=headers)


def when(http: FlaskClient, state: str, response: TestResponse) -> dict[str, Any]:
    """The job of an upload, as soon as it is in ``state``."""
    assert response.status_code == 202, response.get_data(as_text=True)
    place = response.headers["Location"]
    wait_for(lambda: http.get(place).get_json()["state"] == state, f"{state} at {place}", 20)
    found: dict[str, Any] = http.get(place).get_json()
    return found


def detail(response: TestResponse) -> dict[str, Any]:
    found: dict[str, Any] = response.get_json()["detail"]
    return found


def left(root: Path) -> list[str]:
    """What an upload leaves on the disk, locks aside."""
    return [path.name for path in root.iterdir() if not path.name.startswith((".accept", ".slot"))]


def only_these_stay(folder: Path, names: set[str]) -> None:
    """Wait until a runner or supervisor has put the folder in order."""
    wait_for(lambda: {path.name for path in folder.iterdir()} == names, f"only {', '.join(sorted(names))}")


def supervisor_with(root: Path, content: bytes) -> tuple[RunnerSupervisor, Folder]:
    """A supervisor without a thread, and an archive on its store."""
    store = ArchiveStore(root, 10, 60)
    with store.incoming() as incoming:
        (incoming.uploads / "file-1").write_bytes(content)
        folder = store.accept(incoming, Description(created_at=time.time(), names=["sms.csv"]))
    return RunnerSupervisor(settings_in(root), store, COMMAND), folder


def look_at_once(supervisor: RunnerSupervisor, folder: Folder) -> None:
    """One look, without the pause after a death."""
    folder.note_starts(replace(folder.starts(), at=0.0))
    supervisor.look()
