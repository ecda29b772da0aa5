"""A wrong setting is told by its name, its value unless that is a secret, and what it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.config.names import unknown
from sluice.config.settings import SettingsError, read


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("SLUICE_PORT", "eighty", "'eighty' is not allowed, it takes a whole number from 1 to 65535"),
        ("SLUICE_PORT", "tcp://10.0.0.1:8000", "'tcp://10.0.0.1:8000' is no port; Kubernetes sets this"),
        ("SLUICE_MAX_BATCH_SIZE", "0", "'0' is not allowed, it takes a whole number from 1 to 4096"),
        ("OTS_MAX_BATCH_SIZE", "many", "'many' is not allowed, it takes a whole number"),
        ("SLUICE_BATCH_WAIT_MS", "soon", "'soon' is not allowed, it takes a number from 0 to 60000"),
        ("SLUICE_SYNC_WAIT_S", "nan", "'nan' is not allowed, it takes a number above 0, to 600"),
        ("SLUICE_RESULT_TTL_S", "1.5", "'1.5' is not allowed, it takes a whole number from 1"),
        ("SLUICE_MAX_BODY_BYTES", "9" * 5000, "…' is not allowed, it takes a whole number from 1024"),
        ("SLUICE_USE_FP16", "perhaps", "'perhaps' is not allowed, it takes true or false"),
        ("SLUICE_BATCHING", "Always", "'Always' is not allowed, it takes dynamic, static or none"),
        ("SLUICE_DEVICE", "tpu", "'tpu' is not allowed, it takes auto, cpu, cuda or cuda:N"),
        ("SLUICE_LOG_LEVEL", "trace", "'trace' is not allowed, it takes debug, info, warning or error"),
        ("SLUICE_STATE_DIR", "~nobody-here/x", "'~nobody-here' is no user's home"),
    ],
)
@pytest.mark.parametrize("source", ["environment", "file"])
def test_a_wrong_value_is_shown_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, takes: str, source: str
) -> None:
    if source == "environment":
        monkeypatch.setenv(name, value)
    else:
        Path(".env").write_text(f"{name}={value}\n")
    with pytest.raises(SettingsError) as caught:
        read()
    line = str(caught.value)
    assert takes in line
    assert name.partition("_")[2] in line
    assert "\n" not in line
    assert len(line) < 300
    assert "Input should" not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLUICE_BROKER_URL", "hunter2"),
        ("SLUICE_BROKER_URL", "hunter2:x@h"),
        ("SLUICE_BROKER_URL", "redis://:hun/ter2@host/0"),
        ("SLUICE_BROKER_URL", "redis://:hunter2@host:99999/0"),
        ("SLUICE_BROKER_URL", "redis://:hunter2@host:port/0"),
        ("SLUICE_BROKER_URL", "redis://:hunter2@host/zero"),
        ("SLUICE_BROKER_URL", "amqp://a:hunter2@one//;http://a:hunter2@two//"),
        ("SLUICE_RESULT_BACKEND", "amqp://x:hunter2@host//"),
        ("SLUICE_FLOWER_BASIC_AUTH", "hunter2"),
    ],
)
def test_a_wrong_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        read()
    assert str(caught.value).startswith(f"{name}: ")
    assert "hun" not in str(caught.value)
    assert "ter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "becomes"),
    [
        ("log_level", "Info", "info"),
        ("log_level", "DEBUG", "debug"),
        ("device", " CUDA:1 ", "cuda:1"),
        ("batching", "None", "none"),
        ("precision", "FP32", "fp32"),
        ("queue_type", "Classic", "classic"),
    ],
)
def test_choices_are_taken_in_any_case(monkeypatch: pytest.MonkeyPatch, name: str, value: str, becomes: str) -> None:
    monkeypatch.setenv(f"SLUICE_{name.upper()}", value)
    assert getattr(read(), name) == becomes


def test_a_misspelt_name_is_told_with_the_nearest() -> None:
    found = list(unknown({"SLUICE_BROKER_ULR": "x", "sluice_prot": "1"}, {"SLUICE_MAX_BATCH": "8", "SLUICE_ZZ": "1"}))
    assert found == [
        "SLUICE_BROKER_ULR is no setting and has no effect; did you mean SLUICE_BROKER_URL?",
        "sluice_prot is no setting and has no effect; did you mean SLUICE_PORT?",
        "SLUICE_MAX_BATCH (in .env) is no setting and has no effect; did you mean SLUICE_MAX_BATCH_SIZE?",
        "SLUICE_ZZ (in .env) is no setting and has no effect; `sluice config` lists the settings",
    ]


def test_names_of_others_are_let_be() -> None:
    kubernetes = {
        "SLUICE_WEB_PORT": "tcp://10.0.0.1:80",
        "SLUICE_WEB_SERVICE_HOST": "10.0.0.1",
        "SLUICE_WEB_SERVICE_PORT_HTTP": "80",
        "SLUICE_WEB_PORT_80_TCP_ADDR": "10.0.0.1",
        "SLUICE_SERVICE_HOST": "10.0.0.1",
    }
    ours = {"SLUICE_PORT": "1", "sluice_host": "x", "SLUICE_IMAGE": "x", "OTS_OTHER": "x", "SLUICER": "x"}
    assert not list(unknown(kubernetes | ours | {"SLUICE_EMPTY": ""}, {}))


def test_a_file_that_is_no_text_is_one_line() -> None:
    Path(".env").write_bytes(b"SLUICE_PORT=\xff\xfe\n")
    with pytest.raises(SettingsError, match=r"\.env is not UTF-8 text"):
        read()
