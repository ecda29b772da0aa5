"""Whatever a caller sends, the answer is one of the documented ones, in the documented form."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, assume, given, settings, strategies as st

from sluice.config.settings import read
from sluice.web.app import create_app
from tests.unit.web.fake_gateway import FakeGateway

SETTINGS = read(_env_file=None, max_text_chars=40, max_job_messages=5, max_body_bytes=4096)
CLIENT = create_app(SETTINGS, FakeGateway()).test_client()
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
predict_like = st.fixed_dictionaries({}, optional={"text": anything, "model": anything, "extra": anything})
message_like = anything | st.fixed_dictionaries({}, optional={"id": anything, "text": anything})
job_like = st.fixed_dictionaries(
    {},
    optional={"texts": anything | st.lists(anything), "messages": st.lists(message_like), "lane": anything},
)


def post(path: str, body: bytes) -> tuple[int, Any]:
    response = CLIENT.post(path, data=body, content_type="application/json")
    answer = response.get_json()
    if response.status_code >= 400:
        assert set(answer["detail"]) == {"error", "message", "details", "timestamp"}
    return response.status_code, answer


def is_object(body: bytes) -> bool:
    """Hypothesis tries byte strings that it finds in our code, valid bodies among them."""
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


@QUICK
@given(st.binary(max_size=200))
def test_bytes(body: bytes) -> None:
    assume(not is_object(body))
    for path in ("/predict/", "/jobs"):
        assert post(path, body)[0] in (400, 422)


@QUICK
@given(anything | predict_like)
def test_predict(body: Any) -> None:
    status, _ = post("/predict/", json.dumps(body).encode())
    assert status in (200, 400, 413, 422)
    text = body.get("text") if isinstance(body, dict) else None
    if status == 200:
        assert isinstance(text, str)
        assert text.strip()
        assert len(text) <= 40


@QUICK
@given(anything | job_like)
def test_jobs(body: Any) -> None:
    status, answer = post("/jobs", json.dumps(body).encode())
    assert status in (202, 400, 413, 422)
    if status == 202:
        assert 1 <= answer["total"] <= 5


@QUICK
@given(st.text(min_size=1, max_size=40).filter(str.strip))
def test_every_text_that_is_one_is_accepted(text: str) -> None:
    encodable = not any("\ud800" <= char <= "\udfff" for char in text)
    assert post("/predict/", json.dumps({"text": text}).encode())[0] == (200 if encodable else 422)
