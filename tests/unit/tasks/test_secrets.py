"""What a Celery app tells of itself holds no password, in whatever form its URLs have one."""

from __future__ import annotations

import pytest

from sluice.config.settings import SettingsError, read
from sluice.tasks.app import make_celery
from sluice.worker.consumer.lanes import broker_info

REDIS = "redis://:planted@h/0"


@pytest.mark.parametrize(
    ("broker", "backend"),
    [
        (REDIS, REDIS),
        ("redis://me:planted%2F%40@h:6380/1", "redis://me:planted%2F%40@h:6380/1"),
        ("redis://h/0?password=planted", "redis://h/0?password=planted"),
        ("rediss://:planted@h/0", "rediss://:planted@h/0?ssl_cert_reqs=none"),
        ("redis+socket://:planted@/run/r.sock", "redis+socket://:planted@/run/r.sock?virtual_host=1"),
        ("amqp://me:planted@h//", REDIS),
        ("amqps://me:planted@h:5671/vhost", REDIS),
        ("pyamqp://me:planted@h1//;amqp://you:planted@h2//", REDIS),
        ("redis://:planted@h1/0;redis://:planted@h2/0", REDIS),
    ],
)
def test_an_app_tells_no_password(broker: str, backend: str) -> None:
    app = make_celery(read(broker_url=broker, result_backend=backend))
    told = [
        app.conf.table(with_defaults=True),
        app.conf.humanize(with_defaults=True),
        app.bugreport(),
        app.connection_for_read().as_uri(),
        app.connection_for_read(),
        app.backend.as_uri(),
        app.backend,
        app.backend.client.connection_pool,
        broker_info(app.connection_for_read()),
        app,
    ]
    assert not [one for one in told if "planted" in f"{one}{one!r}"]
    assert "result_backend" in app.conf.table()
    assert app.backend.connparams["password"].startswith("planted")  # and yet it is used


@pytest.mark.parametrize(
    "url", ["http://u:pl/anted@h:15672/api/", "http://u:planted@[h", "u:planted@h", "ftp://u:planted@h"]
)
def test_flowers_management_api_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(flower_broker_api=url)
    assert "anted" not in str(caught.value)
