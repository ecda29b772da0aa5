"""Apps that take archives, with a stand-in for the runner."""

from __future__ import annotations

import errno
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sluice.backfill.archive.folder import REPORTING, Description, Folder, Progress, Starts
from sluice.backfill.files.lock import Lock
from sluice.backfill.formats.table import NAMES
from sluice.config.settings import Settings, read
from sluice.harness.process import wait_for
from sluice.web.app import create_app
from sluice.web.archives import form, routes
from sluice.web.archives.names import result_name, shown_name
from sluice.web.archives.runner_process import RunnerCommand, environment
from sluice.web.archives.store import ArchiveStore
from sluice.web.archives.supervisor import GIVEN_UP, MAX_STARTS, RunnerSupervisor
from sluice.web.schemas.archives import ArchiveRequest

from tests.unit.web.archives.uploads import COMMAND, GOOD, ROOT, MakeApp, detail, left, look_at_once, only_these_stay, settings_in, supervisor_with, upload, when
from tests.unit.web.fake_gateway import FakeGateway


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "archives"


@pytest.fixture
def make_app(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeApp]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    made: list[Flask] = []

    def make(**overrides: object) -> Flask:
        made.append(create_app(settings_in(root, **overrides), FakeGateway(), COMMAND))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for app in made:
        app.extensions["sluice-archives"].stop()


@pytest.fixture
def http(make_app: MakeApp) -> FlaskClient:
    return make_app().test_client()
