"""Texts to ids: any text, at bounded cost, always the ids of the whole text."""

from __future__ import annotations

import random
import time

import pytest
from tokenizers import Encoding, Tokenizer

from sluice.training.tokenizer import train_tokenizer
from sluice.worker.model.encoder import TextEncoder, clean
from tests.unit.worker.model.conftest import make_tokenizer

TEXTS = [
    "Your parcel is waiting at the station, call me later",
    "Ваш счёт заблокирован, срочно позвоните",
    "您的验证码是 482913，请勿告诉他人",
    "รหัสยืนยันของคุณคือ 4821",
    "free FREE ｆｒｅｅ 𝓯𝓻𝓮𝓮 w.i.n £1000 now!!!",
] * 4


@pytest.fixture(scope="module", params=["wordpiece", "unigram"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return make_tokenizer() if request.param == "wordpiece" else train_tokenizer(TEXTS, 300)


def encoder(tokenizer: Tokenizer, limit: int = 12) -> TextEncoder:
    return TextEncoder(Tokenizer.from_str(tokenizer.to_str()), limit, 0, 1)


def whole(tokenizer: Tokenizer, text: str, limit: int = 12) -> list[int]:
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.enable_truncation(limit)
    return list(copy.encode(text).ids)


def test_ids_are_those_of_the_whole_text(tokenizer: Tokenizer) -> None:
    rng = random.Random(1)
    pieces = [*" ".join(TEXTS).split(" "), "a" * 90, " " * 300, "\u200b" * 700, ".", "é", "ไม่", "😀"]
    texts = ["".join(rng.choices([*pieces, " "], k=rng.randrange(1, 400))) for _ in range(60)]
    texts += [" " * 5000 + "call me", "x" * 5000, "a b " * 2000, "\u200b" * 4000 + "ok", ""]
    assert encoder(tokenizer).encode(texts) == [whole(tokenizer, text) for text in texts]


def test_no_text_makes_it_raise(tokenizer: Tokenizer) -> None:
    rng = random.Random(2)
    strange = ["", "\x00", "\ud800", "a\udfffb", "\ud83d\ude00", "\ufeff", "\u0301" * 50, "◆", "[CLS] [PAD]", "\r\n\t"]
    alphabet = [*map(chr, range(0x2FF)), *map(chr, range(0x300, 0x3100, 7)), "\ud800", "\udc00", "🇩🇪", "👨‍👩‍👧", "ﷺ"]
    strange += ["".join(rng.choices(alphabet, k=rng.randrange(60))) for _ in range(3000)]
    rows = encoder(tokenizer).encode(strange)
    assert len(rows) == len(strange)
    assert all(2 <= len(row) <= 12 for row in rows)


def test_long_texts_cost_no_more_than_their_beginning(tokenizer: Tokenizer) -> None:
    under_test = encoder(tokenizer)
    text = "call me later ok " * 100_000
    began = time.process_time()  # other processes do not count
    rows = under_test.encode([text] * 5)
    assert time.process_time() - began < 1.5
    assert rows[0] == whole(tokenizer, text[:5000])


def test_a_text_that_the_tokenizer_panics_on_spoils_only_itself(tokenizer: Tokenizer) -> None:
    class Panic(BaseException):
        """As the tokenizers library raises for a panic in its Rust code."""

    class Fragile:
        def __init__(self, real: Tokenizer) -> None:
            self.real = real

        def __getattr__(self, name: str) -> object:
            return getattr(self.real, name)

        def encode_batch_fast(self, texts: list[str]) -> list[Encoding]:
            if any("BOOM" in text for text in texts):
                raise Panic("index out of bounds")
            return self.real.encode_batch_fast(texts)

    fragile = TextEncoder(Fragile(Tokenizer.from_str(tokenizer.to_str())), 12, 0, 1)  # type: ignore[arg-type]
    rows = fragile.encode(["call me later", "BOOM", "ok"])
    assert [rows[0], rows[2]] == encoder(tokenizer).encode(["call me later", "ok"])
    assert rows[1] == encoder(tokenizer).encode([""])[0]


def test_no_texts_are_no_rows(tokenizer: Tokenizer) -> None:
    assert encoder(tokenizer).encode([]) == []


def test_clean_joins_pairs_and_replaces_lone_surrogates() -> None:
    assert clean("plain") == "plain"
    assert clean("né 😀") == "né 😀"
    assert clean("\ud83d\ude00") == "😀"
    assert clean("a\ud800b") == "a\ufffdb"
