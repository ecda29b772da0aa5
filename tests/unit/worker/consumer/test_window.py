"""The prefetch window holds so many messages, whatever envelopes they come in."""

from __future__ import annotations

import pytest
from kombu.common import QoS

from sluice.worker.consumer.window import Window


def window(messages: int, most: int = 256, mean: float = 1.0) -> tuple[Window, QoS]:
    qos = QoS(lambda **_: None, most)
    return Window(qos, messages, most, mean), qos


def test_single_messages_fill_it_to_its_most() -> None:
    one, qos = window(3_000)
    for _ in range(100):
        one.saw(1)
    assert qos.value == 256


def test_it_follows_the_size_of_envelopes_both_ways() -> None:
    one, qos = window(3_000)
    for _ in range(100):
        one.saw(256)
    assert 8 <= qos.value <= 18
    for _ in range(200):
        one.saw(1)
    assert qos.value >= 170


@pytest.mark.parametrize(("messages", "mean", "envelopes"), [(15, 5.0, 3), (15, 1.0, 15), (15, 256.0, 2)])
def test_it_starts_from_the_size_expected(messages: int, mean: float, envelopes: int) -> None:
    assert window(messages, most=20, mean=mean)[1].value == envelopes


def test_what_celery_adds_for_an_eta_stays() -> None:
    one, qos = window(15, most=20, mean=5.0)
    qos.increment_eventually()
    for _ in range(100):
        one.saw(1)
    assert qos.value in range(11, 17)
    for _ in range(100):
        one.saw(100)
    assert qos.value == 3
