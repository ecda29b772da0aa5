"""The shipped models: complete, small, and right about plain cases in plain and in disguise."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.config.settings import DEFAULT_MODEL, MODELS
from sluice.worker.model.base import Classifier
from sluice.worker.model.loader import load
from tests.unit.worker.model.conftest import Settings

SIZES = {"sms-mini": 12_000_000, "sms-base": 40_000_000}
"""Most bytes of each folder."""

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


@pytest.fixture(scope="module", params=SIZES)
def folder(request: pytest.FixtureRequest) -> Path:
    return MODELS / str(request.param)


@pytest.fixture(scope="module")
def classifier(folder: Path) -> Classifier:
    return load(Settings(str(folder), precision="fp32"))


def guess(classifier: Classifier, texts: list[str]) -> list[str]:
    rows = classifier.forward(classifier.encode(texts))
    return [classifier.labels[row.index(max(row))] for row in rows]


def test_every_model_is_looked_at_here() -> None:
    assert {path.parent.name for path in MODELS.glob("*/config.json")} == set(SIZES)
    assert DEFAULT_MODEL.name in SIZES


def test_it_is_small_and_says_what_it_is(folder: Path, classifier: Classifier) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) < SIZES[folder.name]
    assert classifier.labels == ("ham", "spam", "phishing")
    assert classifier.info.name == folder.name
    assert "unknown" not in (classifier.info.version, classifier.info.author, classifier.info.last_training)
    assert (folder / "README.md").read_text(encoding="utf-8").startswith(f"# {folder.name} {classifier.info.version}")


def test_it_is_calibrated(classifier: Classifier) -> None:
    thresholds = classifier.info.thresholds or {}
    assert set(thresholds) == {"spam", "phishing"}
    for one in thresholds.values():
        assert one.flag is not None
        assert one.block is not None
        assert 0.1 < one.flag <= one.block < 1


def test_plain_cases(classifier: Classifier) -> None:
    assert guess(classifier, [text for _, text in PLAIN]) == [label for label, _ in PLAIN]


def test_disguise_does_not_help(classifier: Classifier) -> None:
    assert set(guess(classifier, DISGUISED)) == {"phishing"}


def test_disguised_words_read_as_what_they_imitate(classifier: Classifier) -> None:
    plain, *disguised = classifier.encode(
        ["secure account", "sесurе ассоunt", "s\u200becure a\u200bccount", "ｓｅｃｕｒｅ account"]
    )
    assert disguised == [plain] * 3


def test_messages_stay_short(classifier: Classifier) -> None:
    lengths = [len(ids) for ids in classifier.encode([text for _, text in PLAIN])]
    assert sum(lengths) / len(lengths) < 45
