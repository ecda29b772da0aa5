"""Disguised copies: in every script, reproducible, and undone by the worker to what they were made from."""

from __future__ import annotations

import random

import pytest

from sluice.training.disguises import Kept, measure, total
from sluice.training.obfuscate import STYLES, disguise, script
from sluice.worker.model.disguise import Normalizer

TEXTS = {
    "latin": "Your account is locked, verify it at http://pay.example.top/now",
    "cyrillic": "Ваша карта заблокирована, срочно позвоните в банк",
    "greek": "Ο λογαριασμός σας κλειδώθηκε, καλέστε τώρα",
    "arabic": "تم إيقاف حسابك البنكي، اتصل بنا الآن",
    "hebrew": "החשבון שלך ננעל, התקשר עכשיו",
    "devanagari": "आपका खाता बंद हो जाएगा, अभी कॉल करें",
    "bengali": "আপনার অ্যাকাউন্ট বন্ধ হবে, এখনই কল করুন",
    "tamil": "உங்கள் கணக்கு முடக்கப்பட்டது, உடனே அழைக்கவும்",
    "sinhala": "ඔබගේ ගිණුම අත්හිටුවා ඇත, දැන් අමතන්න",
    "thai": "บัญชีของคุณถูกระงับ กรุณาติดต่อแจ้งธนาคาร",
    "han": "您的账户已被冻结，请立即联系人工客服",
    "hangul": "고객님의 계좌가 정지되었습니다 지금 연락하세요",
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_script_is_told(name: str) -> None:
    assert script(TEXTS[name]) == name
    assert script(f"{TEXTS[name]} https://example.com/a") == name


@pytest.mark.parametrize("rare", [False, True])
@pytest.mark.parametrize("style", ["zero_width", "spaced"])
@pytest.mark.parametrize("name", TEXTS)
def test_every_script_can_be_disguised_and_is_read_again(name: str, style: str, rare: bool) -> None:
    text, normalizer, changed = TEXTS[name], Normalizer(), 0
    for seed in range(40):
        copy = disguise(text, style, random.Random(seed), rare)
        changed += copy != text
        assert _letters(normalizer(copy)) == _letters(text), copy
    assert changed > 20


@pytest.mark.parametrize("rare", [False, True])
@pytest.mark.parametrize("name", ["latin", "cyrillic", "greek", "arabic", "thai", "han", "bengali"])
def test_look_alikes_become_what_they_imitate(name: str, rare: bool) -> None:
    text, normalizer = TEXTS[name], Normalizer()
    copies = [disguise(text, "look_alikes", random.Random(seed), rare) for seed in range(60)]
    words = [pair for copy in copies for pair in zip(normalizer(copy).split(), text.split(), strict=True)]
    assert set(copies) - {text} or rare
    assert sum(read.lower() == meant.lower() for read, meant in words) > 0.95 * len(words)


def test_disguises_are_reproducible() -> None:
    for style in STYLES:
        assert len({disguise(TEXTS["latin"], style, random.Random(7)) for _ in range(3)}) == 1


def test_what_stays_blocked_is_counted_by_style_and_script() -> None:
    judge = lambda texts: ["account" in text or "карта" in text for text in texts]  # noqa: E731
    cells = measure(judge, [TEXTS["latin"], TEXTS["cyrillic"], "a plain ham"], rare=False, seed=3, copies=20)
    assert {cell.script for cell in cells} == {"latin", "cyrillic"}
    blind = total(cells, "zero_width")
    assert blind.disguised == 40
    assert blind.kept < 20
    assert total(cells, "leet_links") == Kept(
        "leet_links", "all", total(cells, "leet_links").disguised, total(cells, "leet_links").disguised
    )


def _letters(text: str) -> str:
    """Letters alone: signs stand where gaps stood, and without a vocabulary borders are lost."""
    return "".join(char for char in text.lower() if char.isalnum())
