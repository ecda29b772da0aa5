"""The vocabulary: reproducible, blind to disguise, safe on any text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from sluice.training.obfuscate import TRICKS
from sluice.training.templates import make_examples
from sluice.training.tokenizer import MIXED, normalizer, save_tokenizer, train_tokenizer

TEXTS = [example.text for example in make_examples(300, seed=1)]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(TEXTS, 900)


def test_the_same_texts_give_the_same_vocabulary(tokenizer: Tokenizer) -> None:
    assert train_tokenizer(TEXTS, 900).to_str() == tokenizer.to_str()
    assert tokenizer.get_vocab_size() <= 900


@pytest.mark.parametrize(
    "text",
    [
        "Pаypаl ассоunt",
        "Pay\u200bpal ac\u2060count",
        "Ｐａｙｐａｌ ａｃｃｏｕｎｔ",
        "𝗣𝗮𝘆𝗽𝗮𝗹 𝗮𝗰𝗰𝗼𝘂𝗻𝘁",
        "Páypàl accöunt",
        "P a y p a l a c c o u n t",
    ],
)
def test_disguises_are_undone(text: str) -> None:
    assert normalizer().normalize_str(text).replace(MIXED, "").replace(" ", "") == "paypalaccount"


def test_mixed_words_are_marked_and_pure_ones_are_not() -> None:
    marks = [
        normalizer().normalize_str(text).count(MIXED)
        for text in ("Pаypal", "pay\u200bpal", "привет мир", "paypal", "ไม่ค่ะ")
    ]
    assert marks == [1, 1, 0, 0, 0]


def test_long_numbers_keep_their_length_and_short_ones_their_digits() -> None:
    assert normalizer().normalize_str("call 09061234 in 24h, £1.50").strip() == "call 00000000 in 24h, £1.50"


def test_other_scripts_keep_their_vowels() -> None:
    for text in ("ไม่ได้ทำ", "வணக்கம்", "が"):
        assert len(normalizer().normalize_str(text).strip()) >= len(text) - 1
    assert normalizer().normalize_str("شُكْراً").strip() == "شكرا"


def test_any_text_can_be_cut(tokenizer: Tokenizer) -> None:
    rng = random.Random(4)
    for trick in TRICKS.values():
        for text in TEXTS[:60]:
            assert len(tokenizer.encode(trick(text, rng, False)).ids) >= 2
    for _ in range(2000):
        text = "".join(chr(rng.choice((rng.randrange(0xD800), rng.randrange(0xE000, 0x2FFFF)))) for _ in range(30))
        tokenizer.encode(text)


def test_the_saved_files_load_as_they_are(tokenizer: Tokenizer, tmp_path: Path) -> None:
    save_tokenizer(tokenizer, tmp_path, 128)
    loaded = AutoTokenizer.from_pretrained(str(tmp_path))
    for text in [*TEXTS[:40], "Pаypаl", "P a y p a l"]:
        assert loaded(text)["input_ids"] == tokenizer.encode(text).ids
    assert (loaded.pad_token_id, loaded.mask_token_id) == (0, 4)
