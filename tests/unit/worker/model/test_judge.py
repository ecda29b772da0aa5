"""Verdicts: what follows from scores, thresholds and policy."""

from __future__ import annotations

import pytest

from sluice.config.settings import read
from sluice.tasks.errors import InvalidInput
from sluice.worker.model.base import ModelInfo
from sluice.worker.model.judge import Judge
from sluice.worker.model.thresholds import Threshold, Thresholds

LABELS = ("ham", "spam", "phishing")
BOTH = {"spam": Threshold(0.6, 0.95), "phishing": Threshold(0.4, 0.9)}
FLOAT32_9 = 0.8999999761581421
"""What 0.9 is in float32, as a model answers it."""


def judge(thresholds: Thresholds | None, labels: tuple[str, ...] = LABELS, **settings: object) -> Judge:
    info = ModelInfo("m", "2", "a", "b", "t", thresholds=thresholds)
    return Judge(labels, info, read(_env_file=None, **settings))


@pytest.mark.parametrize(
    ("scores", "verdict", "rule"),
    [
        ((1.0, 0.0, 0.0), "allow", "spam < 0.6 and phishing < 0.4"),
        ((0.41, 0.2, 0.39), "allow", "spam < 0.6 and phishing < 0.4"),
        ((0.6, 0.0, 0.4), "flag", "phishing >= 0.4"),
        ((0.4, 0.6, 0.0), "flag", "spam >= 0.6"),
        ((0.1, 0.0, 0.9), "block", "phishing >= 0.9"),
        ((0.1, 0.0, FLOAT32_9), "block", "phishing >= 0.9"),
        ((0.1, 0.0, 0.8999994), "flag", "phishing >= 0.4"),
        ((0.1, 0.0, 0.8999996), "block", "phishing >= 0.9"),
        ((0.0, 0.95, 0.05), "block", "spam >= 0.95"),
        ((0.0, 0.6, 0.4), "flag", "spam >= 0.6"),  # both are flagged: the higher score decides
        ((0.0, 0.0, 1.0), "block", "phishing >= 0.9"),
    ],
)
def test_the_rule_that_decides(scores: tuple[float, ...], verdict: str, rule: str) -> None:
    assert judge(BOTH).verdict(scores) == (verdict, rule)


def test_the_more_severe_verdict_counts_before_the_higher_score() -> None:
    thresholds = {"spam": Threshold(0.5, 0.99), "phishing": Threshold(0.1, 0.3)}
    assert judge(thresholds).verdict((0.05, 0.6, 0.35)) == ("block", "phishing >= 0.3")


def test_of_equal_scores_the_model_s_order_decides() -> None:
    thresholds = {"phishing": Threshold(0.3, 0.5), "spam": Threshold(0.3, 0.5)}
    assert judge(thresholds).verdict((0.0, 0.5, 0.5)) == ("block", "spam >= 0.5")
    assert judge(thresholds, ("phishing", "ham", "spam")).verdict((0.5, 0.0, 0.5)) == ("block", "phishing >= 0.5")


def test_a_label_without_thresholds_is_never_acted_on() -> None:
    assert judge({"phishing": Threshold(0.4, 0.9)}).verdict((0.0, 1.0, 0.0)) == ("allow", "phishing < 0.4")


def test_a_label_may_have_one_threshold_only() -> None:
    only = judge({"spam": Threshold(flag=0.7), "phishing": Threshold(block=0.8)})
    assert only.verdict((0.0, 1.0, 0.0)) == ("flag", "spam >= 0.7")
    assert only.verdict((0.2, 0.0, 0.8)) == ("block", "phishing >= 0.8")
    assert only.verdict((0.3, 0.0, 0.7)) == ("allow", "spam < 0.7 and phishing < 0.8")


@pytest.mark.parametrize(("flag", "block"), [(0.9, 0.9), (0.0, 0.0), (1.0, 1.0)])
def test_what_is_flagged_from_where_it_is_blocked_is_blocked(flag: float, block: float) -> None:
    assert judge({"phishing": Threshold(flag, block)}).verdict((0.0, 0.0, 1.0)) == ("block", f"phishing >= {block}")


def test_never_block_flags_what_would_be_blocked_and_says_so() -> None:
    mild = judge(BOTH, verdict_policy="never_block")
    assert mild.verdict((0.0, 0.0, 0.9)) == ("flag", "phishing >= 0.9 (never_block)")
    assert mild.verdict((0.0, 0.2, 0.8)) == ("flag", "phishing >= 0.4")
    assert mild.verdict((1.0, 0.0, 0.0)) == ("allow", "spam < 0.6 and phishing < 0.4")
    # The label that would be blocked is named, not the one with the higher score.
    thresholds = {"spam": Threshold(0.5, 0.99), "phishing": Threshold(0.1, 0.3)}
    found = judge(thresholds, verdict_policy="never_block").verdict((0.05, 0.6, 0.35))
    assert found == ("flag", "phishing >= 0.3 (never_block)")


def test_thresholds_are_compared_and_shown_at_six_decimals() -> None:
    fitted = judge({"phishing": Threshold(0.1000000014901161, 0.8731234999)})
    assert fitted.verdict((0.9, 0.0, 0.1)) == ("flag", "phishing >= 0.1")
    assert fitted.verdict((0.0, 0.0, 0.873123)) == ("block", "phishing >= 0.873123")


def test_a_model_without_thresholds_gets_the_deployment_s() -> None:
    plain = judge(None)
    assert plain.objection is None
    assert plain.verdict((0.5, 0.5, 0.0)) == ("flag", "spam >= 0.5")
    assert plain.verdict((0.1, 0.0, 0.9)) == ("block", "phishing >= 0.9")
    strict = judge(None, ("ham", "spam"), flag_at=0.2, block_at=0.3)
    assert strict.verdict((0.7, 0.3)) == ("block", "spam >= 0.3")
    assert strict.as_json() == {"policy": "model", "thresholds": {"spam": {"flag": 0.2, "block": 0.3}}}


@pytest.mark.parametrize(
    "labels", [("positive", "negative"), ("ham", "spam", "advert"), ("spam", "phishing"), ("ham",)]
)
def test_labels_of_another_trade_get_no_verdict(labels: tuple[str, ...]) -> None:
    generic = judge(None, labels)
    assert isinstance(generic.objection, InvalidInput)
    assert "the model m 2 has no thresholds" in generic.objection.message
    assert generic.objection.details == {"field": "verdict", "model": "m 2"}
    assert generic.verdict((1.0,) * len(labels)) == (None, "m 2 has no thresholds")
    assert generic.as_json() is None


def test_a_generic_model_with_thresholds_gets_verdicts() -> None:
    found = judge({"negative": Threshold(0.8)}, ("positive", "negative"))
    assert found.objection is None
    assert found.verdict((0.1, 0.9)) == ("flag", "negative >= 0.8")
    assert found.as_json() == {"policy": "model", "thresholds": {"negative": {"flag": 0.8, "block": None}}}
