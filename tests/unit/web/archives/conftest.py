"""Apps that take archives, with a stand-in for the runner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sluice.web.app import create_app
from tests.unit.web.archives.uploads import (
    COMMAND,
    ROOT,
    MakeApp,
    settings_in,
)
from tests.unit.web.fake_gateway import FakeGateway


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "archives"


@pytest.fixture
def make_app(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeApp]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    made: list[Flask] = []

    def make(**overrides: object) -> Flask:
        made.append(create_app(settings_in(root, **overrides), FakeGateway(), COMMAND))
        return made[-1]

    yield make
    for app in made:
        app.extensions["sluice-archives"].stop()


@pytest.fixture
def http(make_app: MakeApp) -> FlaskClient:
    return make_app().test_client()
