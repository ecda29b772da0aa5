"""How a body is read: compressed, in another encoding, with what is JSON by its grammar only."""

from __future__ import annotations

import gzip
import json
from time import process_time
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings, strategies as st

from sluice.config.settings import read
from sluice.web.app import create_app
from sluice.web.http.compression import unpacked
from tests.unit.web.fake_gateway import FakeGateway
from tests.unit.web.refusal import refusal

JSON = "application/json"
LIMIT = 20_000  # of ``plain_settings``
HALF = "half an emoji \ud83d"
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def send(client: FlaskClient, body: bytes, path: str = "/predict/", **headers: str) -> Any:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, data=body, content_type=JSON, headers=names)


@pytest.mark.parametrize("path", ["/predict/", "/jobs"])
def test_a_byte_order_mark_is_read_over(client: FlaskClient, path: str) -> None:
    body = {"text": "hi"} if path == "/predict/" else {"texts": ["hi"]}
    assert send(client, b"\xef\xbb\xbf" + json.dumps(body).encode(), path).status_code in (200, 202)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty"),
        (b" \r\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        ('{"text": "caf\u00e9"}'.encode("latin-1"), "not in UTF-8"),
        ('{"text": "x"}'.encode("utf-16"), "UTF-16"),
        ('{"text": "x"}'.encode("utf-16-be"), "UTF-16"),
        ('{"text": "x"}'.encode("utf-32"), "UTF-32"),
        (b'{"text": "x"', "not valid JSON"),
        (b'{"text": "a\x00b"}', "not valid JSON"),
        (b'{"text": ' + b"9" * 5_000 + b"}", "too many digits"),
        (b"[" * 10_000, "nested too deeply"),
        (gzip.compress(b'{"text": "x"}', mtime=0), "Content-Encoding: gzip"),
    ],
)
@pytest.mark.parametrize("path", ["/predict/", "/jobs"])
def test_what_cannot_be_read_is_400_and_says_why(client: FlaskClient, path: str, body: bytes, said: str) -> None:
    detail = refusal(send(client, body, path), 400, "bad_request")
    assert said in detail["message"]
    assert detail["details"] == {"field": "body"}


def test_a_nul_is_a_character(client: FlaskClient, fake: FakeGateway) -> None:
    assert send(client, b'{"text": "a\\u0000b"}').status_code == 200
    assert fake.asked[0][1] == "a\0b"


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "identity, gzip"])
@pytest.mark.parametrize("path", ["/predict/", "/jobs"])
def test_gzip_is_unpacked(client: FlaskClient, path: str, coding: str) -> None:
    body = {"text": "hi"} if path == "/predict/" else {"texts": ["hi"]}
    packed = gzip.compress(json.dumps(body).encode())
    assert send(client, packed, path, Content_Encoding=coding).status_code in (200, 202)


def test_several_members_are_one_body(client: FlaskClient) -> None:
    packed = gzip.compress(b'{"text": ') + gzip.compress(b'"hi"}')
    assert send(client, packed, Content_Encoding="gzip").status_code == 200


def test_a_body_of_nothing_but_members_costs_seconds_not_minutes() -> None:
    began = process_time()
    assert unpacked(gzip.compress(b"") * 400_000, "gzip", 8_388_608) == b""
    assert process_time() - began < 15


@pytest.mark.parametrize(
    "body", [b'{"text": "hi"}', gzip.compress(b'{"text": "hi"}', mtime=0)[:-9], b"\x1f\x8b", b"{}x"]
)
def test_what_is_no_gzip_is_400(client: FlaskClient, body: bytes) -> None:
    assert "gzip" in refusal(send(client, body, Content_Encoding="gzip"), 400, "bad_request")["message"]


@pytest.mark.parametrize("body", [b" " * (LIMIT + 1), b"[" * 50_000_000], ids=["spaces", "brackets"])
def test_no_more_is_unpacked_than_may_be_sent(client: FlaskClient, body: bytes) -> None:
    detail = refusal(send(client, gzip.compress(body, 1)[:LIMIT], Content_Encoding="gzip"), 413, "too_large")
    assert detail["details"]["limit"] == LIMIT


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "nonsense"])
@pytest.mark.parametrize("path", ["/predict/", "/jobs"])
def test_another_compression_is_415_and_says_what_is_read(client: FlaskClient, path: str, coding: str) -> None:
    response = send(client, b"\x0b\x02\x80{}\x03", path, Content_Encoding=coding)
    details = refusal(response, 415, "unsupported_media_type")["details"]
    assert details == {"field": "Content-Encoding", "accepted": ["gzip", "identity"]}
    assert response.headers["Accept-Encoding"] == "gzip, identity"


def test_a_compressed_form_is_415(client: FlaskClient) -> None:
    form = {"Content-Encoding": "gzip", "Content-Type": "multipart/form-data; boundary=x"}
    response = client.post("/archives", data=gzip.compress(b"--x--"), headers=form)
    assert refusal(response, 415, "unsupported_media_type")["details"]["field"] == "Content-Encoding"


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"texts": ["good", HALF, "fine"]}, ["good", HALF, "fine"]),
        (
            {"messages": [{"id": "a", "text": HALF}, {"id": "b", "text": "good"}]},
            [{"id": "a", "text": HALF}, {"id": "b", "text": "good"}],
        ),
    ],
)
def test_half_a_surrogate_pair_in_one_text_of_many_is_that_text_s_error(
    client: FlaskClient, fake: FakeGateway, body: Any, sent: Any
) -> None:
    assert send(client, json.dumps(body).encode(), "/jobs").status_code == 202
    assert fake.asked[0][1] == sent


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"texts": [HALF]}, "texts[0]"),
        ({"texts": [HALF, ""]}, "texts[0]"),
        ({"messages": [{"id": "a\udc00", "text": "x"}]}, "messages[0].id"),
        ({"texts": ["x"], "lane": HALF}, "lane"),
        ({"texts": ["x"], "lane": {"deep": [HALF]}}, "lane.deep[0]"),
        ({"texts": ["x"], HALF: 1}, "(a field)"),
        ({"texts": ["x", HALF, 5]}, "texts[2]"),
        ({"texts": [HALF, ["x", HALF]]}, "texts[1][1]"),
        (HALF, "body"),
    ],
)
def test_elsewhere_it_is_the_request_s(client: FlaskClient, body: Any, field: str) -> None:
    detail = refusal(send(client, json.dumps(body).encode(), "/jobs"), 422, "invalid_input")
    assert detail["details"]["field"] == field


def test_a_request_made_again_with_half_pairs_is_the_same_request(client: FlaskClient, fake: FakeGateway) -> None:
    def idempotency(*texts: str) -> str:
        send(client, json.dumps({"texts": texts}).encode(), "/jobs", Idempotency_Key="k")
        return str(fake.asked[-1][4].body)

    assert idempotency("good", HALF) == idempotency("good", HALF)
    assert len({idempotency("good", HALF), idempotency("good", "\ud83e"), idempotency("good", "?")}) == 3


texts = st.text(st.characters(codec=None, min_codepoint=1), max_size=30)
odd = st.lists(st.sampled_from("\ud83d\udc4d\ude00 a\0"), max_size=6).map("".join)


@QUICK
@given(st.lists(texts | odd, min_size=1, max_size=5))
def test_any_texts_become_a_job_unless_none_of_them_is_one(sent: list[str]) -> None:
    fake = FakeGateway()
    client = create_app(read(_env_file=None, max_text_chars=40), fake).test_client()
    status = send(client, json.dumps({"texts": sent}).encode(), "/jobs").status_code
    meant = json.loads(json.dumps(sent))  # two halves that follow each other are one character
    good = [text for text in meant if text.strip() and not any("\ud800" <= char <= "\udfff" for char in text)]
    assert status == (202 if good else 422)
    if good:
        assert fake.asked[0][1] == meant
