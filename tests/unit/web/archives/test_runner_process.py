"""The environment of a runner."""

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


def test_a_runner_gets_the_settings_but_not_the_keys(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_API_KEYS", "secret")
    env = environment(settings_in(root, broker_url="redis://u:p@h/1", api_keys="secret", deduplicate=False))
    assert env["SLUICE_BROKER_URL"] == "redis://u:p@h/1"
    assert env["SLUICE_DEDUPLICATE"] == "false"
    assert "secret" not in " ".join(env.values())
