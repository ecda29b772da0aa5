"""The environment of a runner."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.web.archives.runner_process import environment
from tests.unit.web.archives.uploads import (
    settings_in,
)


def test_a_runner_gets_the_settings_but_not_the_keys(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_API_KEYS", "secret")
    env = environment(settings_in(root, broker_url="redis://u:p@h/1", api_keys="secret", deduplicate=False))
    assert env["SLUICE_BROKER_URL"] == "redis://u:p@h/1"
    assert env["SLUICE_DEDUPLICATE"] == "false"
    assert "secret" not in " ".join(env.values())
