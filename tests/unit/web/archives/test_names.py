"""Names of files."""

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


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("sms.csv", "sms.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\sms.csv", "sms.csv"),
        ("a\r\nSet-Cookie: x=1.csv", "a Set-Cookie: x=1.csv"),
        ("\u202efdp.exe", "fdp.exe"),
        ("архив.csv", "архив.csv"),
        ("", "archive"),
        ("..", ".."),
        (None, "archive"),
        ("x" * 300, "x" * 100),
    ],
)
def test_names_are_fit_for_a_screen(given: str | None, shown: str) -> None:
    assert shown_name(given) == shown


@pytest.mark.parametrize(
    ("names", "output", "expected"),
    [
        (["sms.csv"], "csv", "sms.classified.csv"),
        (["sms.2026.11.csv.gz"], "parquet", "sms.2026.11.classified.parquet"),
        (["a.csv", "b.csv"], "sqlite", "archive.classified.sqlite"),
        ([".csv"], "csv", "archive.classified.csv"),
        ([".."], "jsonl", "archive.classified.jsonl"),
    ],
)
def test_a_result_is_named_after_its_file(names: list[str], output: str, expected: str) -> None:
    assert result_name(names, output) == expected
