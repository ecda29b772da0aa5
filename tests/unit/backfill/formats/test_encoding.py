"""Which encoding a file is found to be in."""

from __future__ import annotations

import pytest

from sluice.backfill.formats.encoding import LEGACY_BYTES, SAMPLE_BYTES, encoding_of

TEXTS = [
    ("cp1252", "Ihr Paket wird morgen geliefert – Gebühren 2,99 €. Grüße aus Köln"),
    ("cp1252", "J’ai oublié : où es-tu ? Très bête, garçon"),
    ("cp1252", "¡Felicidades! ¿Dónde estás? Te llamé mañana"),
    ("cp1252", "Parabéns! Você ganhou um prêmio. Até amanhã, coração"),
    ("cp1252", "Hej då, vi åker till Göteborg på måndag"),
    ("cp1252", "Perché no? È già tardi, la città è bella, così"),
    ("cp1252", "It’s “smart” – isn’t it? Only £5"),
    ("cp1252", "Win £1000 now"),
    ("cp1250", "Będę później, paczka została wstrzymana"),
    ("cp1250", "Příliš žluťoučký kůň, zásilka je připravena"),
    ("cp1250", "Köszönöm, az őrség később fizet díjat"),
    ("cp1254", "Teşekkür ederim, yarın İstanbul'a gideceğim"),
    ("cp1257", "Ačiū, jūsų siunta atvyko, sumokėkite mokestį"),
    ("mac_roman", "Grüße aus Köln, schön"),
    ("cp1251", "Привет, как дела? Вы выиграли приз"),
    ("cp1253", "Καλημέρα, τι κάνεις; Κερδίσατε ένα δώρο"),
    ("cp1256", "مرحبا كيف حالك رمز التحقق الخاص بك"),
    ("cp874", "สวัสดีครับ ยินดีด้วย คุณได้รับรางวัล"),
    ("gb18030", "你好，今天下午四点喝茶吗？您的验证码是，请勿泄露"),
    ("shift_jis", "こんにちは、明日の会議は三時からです。当選おめでとうございます"),
]


@pytest.mark.parametrize(("encoding", "text"), TEXTS)
@pytest.mark.parametrize("count", [3, 300])
def test_the_encoding_is_found_in_which_the_text_is_what_it_was(encoding: str, text: str, count: int) -> None:
    data = "".join(f"{number},{text}\n" for number in range(count)).encode(encoding)
    assert data.decode(encoding_of(data).name) == data.decode(encoding)


@pytest.mark.parametrize("encoding", ["gb18030", "shift_jis"])
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("size", [LEGACY_BYTES + 1, SAMPLE_BYTES])
def test_half_a_character_where_the_sample_is_cut_does_not_mislead(encoding: str, before: int, size: int) -> None:
    line = "x" * before + "会議は三時からです。今天下午四点喝茶" * 3 + "\n"
    data = (line * (2 * size // len(line))).encode(encoding)[:size]
    assert encoding_of(data).name == encoding
