"""The shipped model: complete, small, and right about plain cases in plain and in disguise."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.worker.model.base import Classifier
from sluice.worker.model.loader import load
from tests.unit.model.conftest import Settings

FOLDER = Path(__file__).resolve().parents[3] / "models" / "sms-mini"

PLAIN = [
    ("ham", "Hey, are you coming to dinner tonight? I can pick you up at seven"),
    ("ham", "Your verification code is 482913. Do not share it with anyone."),
    ("ham", "On my way home, do we need milk?"),
    ("spam", "FLASH SALE! 70% off everything this weekend only. Shop now https://bit.ly/x7Yz Reply STOP to opt out"),
    ("spam", "Casino welcome bonus: 200 free spins, no deposit. Play now!"),
    ("phishing", "Your bank account has been suspended. Verify your identity now: http://secure-login.verify-id.top"),
    ("phishing", "Royal Mail: your parcel is held, pay a fee of 1.99 at parcel-fee.top/pay"),
]
DISGUISED = [
    "Yоur bаnk ассоunt hаs bееn suspеndеd. Vеrify yоur idеntity nоw: http://secure-login.verify-id.top",
    "Y\u200bour b\u200bank acc\u200bount has been sus\u200bpended. Verify your identity: http://secure-login.verify-id.top",
    "Ｙｏｕｒ ｂａｎｋ ａｃｃｏｕｎｔ has been ｓｕｓｐｅｎｄｅｄ. Verify: http://secure-login.verify-id.top",
]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load(Settings(str(FOLDER)))


def guess(classifier: Classifier, texts: list[str]) -> list[str]:
    rows = classifier.forward(classifier.encode(texts))
    return [classifier.labels[row.index(max(row))] for row in rows]


def test_it_is_small_and_says_what_it_is(classifier: Classifier) -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 12_000_000
    assert classifier.labels == ("ham", "spam", "phishing")
    assert classifier.info.name == "sms-mini"
    assert "unknown" not in (classifier.info.version, classifier.info.author, classifier.info.last_training)
    assert (FOLDER / "README.md").read_text(encoding="utf-8").startswith("# sms-mini")


def test_plain_cases(classifier: Classifier) -> None:
    assert guess(classifier, [text for _, text in PLAIN]) == [label for label, _ in PLAIN]


def test_disguise_does_not_help(classifier: Classifier) -> None:
    assert set(guess(classifier, DISGUISED)) == {"phishing"}


def test_disguised_words_read_as_what_they_imitate(classifier: Classifier) -> None:
    marks = set(classifier.encode(["\u0430b"])[0]) - set(classifier.encode(["ab"])[0])
    plain, *disguised = classifier.encode(
        ["secure account", "sесurе ассоunt", "s\u200becure a\u200bccount", "ｓｅｃｕｒｅ account"]
    )
    assert marks
    for ids in disguised:
        assert [number for number in ids if number not in marks] == plain


def test_messages_stay_short(classifier: Classifier) -> None:
    lengths = [len(ids) for ids in classifier.encode([text for _, text in PLAIN])]
    assert sum(lengths) / len(lengths) < 45
