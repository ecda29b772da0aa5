"""The fields of an archive's form."""

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



def test_the_formats_are_those_that_can_be_read() -> None:
    schema = ArchiveRequest.model_json_schema()["properties"]["format"]["anyOf"][0]["enum"]
    assert tuple(schema) == NAMES
