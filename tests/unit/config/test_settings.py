"""Settings: sources, aliases, limits and combinations; one line says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from sluice.config.describe import rows
from sluice.config.settings import OTS_NAMES, Settings, SettingsError, read


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_contracts_defaults() -> None:
    settings = read()
    assert (settings.max_batch_size, settings.batch_wait_ms, settings.max_text_length) == (64, 5, 96)
    assert (settings.use_fp16, settings.batching_enabled, settings.batching) == (True, True, "dynamic")
    assert settings.sync_wait_s == 10
    assert settings.uses_embedded


@pytest.mark.parametrize("name", OTS_NAMES)
def test_the_ots_names_are_aliases_and_sluice_wins(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = {
        "USE_FP16": ("false", "true"),
        "BATCHING_ENABLED": ("false", "true"),
        "MBERT_MODEL_PATH": ("a.pth", "b.pth"),
    }.get(name, ("16", "32"))
    monkeypatch.setenv(f"OTS_{name}", first)
    ots = getattr(read(), name.lower())
    assert str(ots).lower() in (first, f"{first}.0")
    monkeypatch.setenv(f"SLUICE_{name}", second)
    assert getattr(read(), name.lower()) != ots


def test_the_environment_wins_over_the_file_and_each_source_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("SLUICE_PORT=9001\nOTS_MAX_BATCH_SIZE=16\nSLUICE_HOST=127.0.0.2\n", encoding="utf-8")
    monkeypatch.setenv("SLUICE_HOST", "127.0.0.3")
    settings = read()
    assert (settings.port, settings.max_batch_size, settings.host) == (9001, 16, "127.0.0.3")
    sources = {row.name: row.source for row in rows(settings)}
    assert sources["SLUICE_PORT"] == ".env"
    assert sources["SLUICE_MAX_BATCH_SIZE"] == ".env (OTS_MAX_BATCH_SIZE)"
    assert sources["SLUICE_HOST"] == "environment"
    assert sources["SLUICE_SYNC_WAIT_S"] == "default"


def test_flowers_own_names_are_taken_from_the_file_too_and_its_secrets_shown_nowhere() -> None:
    Path(".env").write_text(
        "FLOWER_BASIC_AUTH=ann:hunter2, bob:hunter3\nFLOWER_BROKER_API=http://u:hunter4@rabbit/api/\n"
    )
    settings = read()
    assert [login.get_secret_value() for login in settings.flower_basic_auth] == ["ann:hunter2", "bob:hunter3"]
    shown = {row.name: row for row in rows(settings)}
    assert shown["SLUICE_FLOWER_BASIC_AUTH"].source == ".env (FLOWER_BASIC_AUTH)"
    assert "rabbit/api" in shown["SLUICE_FLOWER_BROKER_API"].value
    assert "hunter" not in repr((settings, shown))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_batch_size": 0}, "SLUICE_MAX_BATCH_SIZE"),
        ({"batch_wait_ms": "soon"}, "SLUICE_BATCH_WAIT_MS"),
        ({"batching": "sometimes"}, "SLUICE_BATCHING"),
        ({"broker_url": "http://x"}, "SLUICE_BROKER_URL"),
        ({"flower_basic_auth": "ann:secret,bob"}, "SLUICE_FLOWER_BASIC_AUTH"),
        ({"flower_broker_api": "user:secret@host:15672/api/"}, "SLUICE_FLOWER_BROKER_API"),
        ({"result_backend": "amqp://x"}, "SLUICE_RESULT_BACKEND"),
        ({"device": "tpu"}, "SLUICE_DEVICE"),
        ({"batching_enabled": False, "batching": "static"}, "BATCHING_ENABLED=false contradicts"),
        ({"max_batch_tokens": 50}, "MAX_BATCH_TOKENS=50 is less than MAX_TEXT_LENGTH=96"),
        ({"sync_wait_s": 100, "result_ttl_s": 10}, "SYNC_WAIT_S=100 is more than RESULT_TTL_S=10"),
        ({"verdict": "sometimes"}, "SLUICE_VERDICT"),
        ({"verdict_policy": "never"}, "SLUICE_VERDICT_POLICY: 'never' is not allowed, it takes model or never_block"),
        ({"on_outage": "block"}, "SLUICE_ON_OUTAGE: 'block' is not allowed, it takes error or allow"),
        ({"flag_at": 1.5}, "SLUICE_FLAG_AT: '1.5' is not allowed, it takes a number from 0 to 1"),
        ({"block_at": "nan"}, "SLUICE_BLOCK_AT"),
        ({"flag_at": 0.95}, "SLUICE_FLAG_AT=0.95 is more than BLOCK_AT=0.9"),
        ({"model": "a", "mbert_model_path": "b.pth"}, "set only one of them"),
        ({"state_dir": Path("/" + "x" * 120)}, "STATE_DIR makes a socket path"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_secrets_are_neither_shown_nor_in_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(broker_url="amqp://me:hunter2@h//", result_backend="redis://:hunter3@h/0", api_keys="k1secret,k2")
    shown = " ".join(row.value for row in rows(settings))
    assert "hunter" not in shown
    assert "k1secret" not in shown
    assert settings.api_keys == (SecretStr("k1secret"), SecretStr("k2"))
    monkeypatch.setenv("SLUICE_BROKER_URL", "nope://me:hunter2@h")
    with pytest.raises(SettingsError) as caught:
        read()
    assert "hunter2" not in str(caught.value)


def test_settings_are_frozen_and_all_have_a_meaning() -> None:
    settings = read()
    with pytest.raises(ValidationError):
        settings.port = 1
    assert all(info.description for info in Settings.model_fields.values())


def test_results_need_redis_and_rabbitmq_alone_gets_the_embedded_one() -> None:
    settings = read(broker_url="amqp://guest:guest@h//")
    assert settings.backend == settings.embedded_url
    assert read(broker_url="redis://h/1").backend == "redis://h/1"


def test_batching_off_is_mode_none() -> None:
    assert read(batching_enabled=False).batching_mode == "none"


def test_a_tls_url_checks_certificates_unless_it_says_otherwise() -> None:
    assert read(broker_url="rediss://h/0").broker == "rediss://h/0?ssl_cert_reqs=required"
    assert read(broker_url="rediss://h/0?ssl_cert_reqs=none").broker == "rediss://h/0?ssl_cert_reqs=none"
