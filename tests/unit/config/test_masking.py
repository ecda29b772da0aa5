"""Passwords in URLs, in every form in which they are written, are neither shown nor misread."""

from __future__ import annotations

import pytest

from sluice.config.masking import MASK, masked_url
from sluice.config.settings import read


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://me:pw@host:5672//", f"amqp://me:{MASK}@host:5672//"),
        ("redis://:pw@host/0", f"redis://:{MASK}@host/0"),
        ("redis+socket:///run/r.sock", "redis+socket:///run/r.sock"),
        ("redis+socket://me:pw@/run/r.sock?virtual_host=1", f"redis+socket://me:{MASK}@/run/r.sock"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis://host/0?password=pw&db=1", "redis://host/0"),
        ("rediss://me:p%40%2Fw@host", f"rediss://me:{MASK}@host"),
        ("redis://pw@host", f"redis://{MASK}@host"),
        ("amqps://a:pw@h1//;amqps://b:pw2@h2//", f"amqps://a:{MASK}@h1//;amqps://b:{MASK}@h2//"),
        ("sentinel://:pw@h1:26379;sentinel://:pw@h2:26379", f"sentinel://:{MASK}@h1:26379;sentinel://:{MASK}@h2:26379"),
    ],
)
def test_masked_urls_stay_recognisable(url: str, shown: str) -> None:
    assert masked_url(url) == shown


@pytest.mark.parametrize("odd", ["pla/nted", "pla#nted", "pla?nted", "pla@nted", "p;lanted", "pla:nted", "[nted"])
@pytest.mark.parametrize("form", ["redis://:{}@h/0", "amqp://me:{}@h//", "redis://:x@h1;redis://:{}@h2", "{}"])
def test_a_password_that_should_have_been_quoted_is_masked_whole(form: str, odd: str) -> None:
    shown = masked_url(form.format(odd))
    assert "nted" not in shown
    assert "pla" not in shown


@pytest.mark.parametrize("url", ["redis://:planted", "redis://h:planted/0", "planted", "me:planted@h"])
def test_a_password_in_a_broken_url_is_masked(url: str) -> None:
    assert "planted" not in masked_url(url)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("redis://h/0?password=p%40w", "redis://:p%40w@h/0"),
        ("redis://me:old@h/0?password=new", "redis://me:new@h/0"),
        ("redis://h/0?username=me&password=pw&socket_timeout=5", "redis://me:pw@h/0?socket_timeout=5"),
        ("redis+socket:///run/r?virtual_host=1&password=pw", "redis+socket://:pw@/run/r?virtual_host=1"),
        ("redis://h/0?socket_timeout=5", "redis://h/0?socket_timeout=5"),
        ("rediss://h/0?password=pw", "rediss://:pw@h/0?ssl_cert_reqs=required"),
        ("rediss://a/0;rediss://b/0", "rediss://a/0?ssl_cert_reqs=required;rediss://b/0?ssl_cert_reqs=required"),
    ],
)
def test_a_login_in_the_query_is_taken_by_every_library(given: str, used: str) -> None:
    assert read(broker_url=given).broker == used
