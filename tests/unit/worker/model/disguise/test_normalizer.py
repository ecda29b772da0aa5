"""Disguises are undone, clean texts stay, in any script; never raises, bounded, and once is enough."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings, strategies as st

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.disguise import NORMALIZATION, Normalizer, make_normalizer, read_normalizer
from tests.unit.worker.model.conftest import make_tokenizer

UNDONE = [
    ("Pаypаl ассоunt", "Paypal account"),
    ("ΡαyΡαl is lосked", "PayPal is locked"),
    ("Вaш cчeт зaблoкиpoвaн", "Ваш счет заблокирован"),
    ("Ο λoγαριασμός σας", "Ο λογαριασμός σας"),
    ("Maнukюp kypс от 3734. www.t.ly/help", "Маникюр курс от 3734. www.t.ly/help"),
    ("Sьírka pro Toмáš: pоšletе, betaӏa ϲode", "Sbírka pro Tomáš: pošlete, betala code"),
    ("ᏢayᏢal", "PayPal"),
    ("ᴘᴀʏᴘᴀʟ ꜱᴇᴄᴜʀᴇ", "paypal secure"),
    ("Pay\u200bpal ac\u2060count", "Paypal account"),
    ("ваш\u200b счет\u00ad за\u200cбло\u200dкирован", "ваш счет заблокирован"),
    ("बैं\u200bक खा\u2060ता", "बैंक खाता"),
    ("บัญ\u200bชี", "บัญชี"),
    ("您的\u200b账\u2060户", "您的账户"),
    ("Ｐａｙｐａｌ： ｈｔｔｐ：／／ｘ．ｃｏｍ", "Paypal: http://x.com"),
    ("𝗣𝗮𝘆𝗽𝗮𝗹 𝒶𝒸𝒸ℴ𝓊𝓃𝓉", "Paypal account"),
    ("🅿🅰🆈🅿🅰🅻 ⓛⓞⓖⓘⓝ", "paypal login"),
    ("🇧 🇦 🇳 🇰 card", "bank card"),
    ("ﾊﾟｽﾜｰﾄﾞ", "パスワード"),
    ("P̷a̷y̷p̷a̷l̷", "Paypal"),
    ("P a y P a l is locked", "PayPal is locked"),
    ("w-e-b---c-a-r-d call 0•8•0•0•5•5•1", "web-card call 0800551"),
    ("Y o u r   b a n k   c a r d", "Your bank card"),
    ("Y.o.u.r b.a.n.k c.a.r.d", "Your bank card"),
    ("Y-o-u-r- -b-a-n-k", "Your bank"),
    ("Y o u r b a n k a c c o u n t i s l o c k e d", "Your bank account is locked"),
    ("в а ш с ч е т з а б л о к и р о в а н", "ваш счет заблокирован"),
    ("В А Ш   С Ч Е Т", "ВАШ СЧЕТ"),
    ("您 的 账 户 已 被 冻 结", "您的账户已被冻结"),
    ("บั ญ ชี ข อ ง คุ ณ", "บัญชีของคุณ"),
    ("आ प का खा ता", "आपकाखाता"),
    ("ح س ا ب ك   م غ ل ق", "حسابك مغلق"),
    ("C~o~h~e~n~, call", "Cohen, call"),
    ("hxxps://secure[.]bank(dot)com/a", "https://secure.bank.com/a"),
    ("h t t p : / / x . c o m / a", "http://x.com/a"),
    ("www . paypal . com", "www.paypal.com"),
    ("see amaz0n dot com", "see amaz0n.com"),
    ("เเจ้งเตือน", "แจ้งเตือน"),
    ("अाप का", "आप का"),
    ("请⽤⼈工客服", "请用人工客服"),
    ("حسابک مغلق في البنك", "حسابك مغلق في البنك"),
    ("은행 계좌", "은행 계좌"),
]
CLEAN = [
    "Hey, are you coming at 8? :) xx",
    "Your code is 482913. See http://paypa1-l0gin.top/x, co2.example, b2b.com and 365online.com, or call 0800 1 2 3 4.",
    "J. R. R. Tolkien, U.S.A., e.g. x x x x",
    "Plan A, B, C or D?",
    "https://bit.ly/x7Yz3 and http://t.co/A8kd3f9",
    "Привет, SMS-код в Telegram, 3G-модем, USBшный, 5€ на OK",
    "е-мейл или sms? Он у нас, а вот CEO HP — нет",
    "Ελλάδα: ο λογαριασμός σας στην Alpha Bank",
    "می\u200cشود خانه\u200cها",
    "ක්\u200dරියා ශ්\u200dරී",
    "ন্\u200dয র\u200d্যাব",
    "👨\u200d👩\u200d👧 ❤️ 1️⃣ 🇩🇪🇫🇷 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f 🅿️ ℹ️",
    "【招商银行】您账户1234于11月30日入账工资，余额12,000元。",
    "三菱ＵＦＪ銀行".replace("ＵＦＪ", "UFJ") + "のATM、1ｶ月",
    "그 때 볼 수 있어? 할 수 없다",
    "Tiếng Việt, naïve café, Łódź, İstanbul, Müller™ 5² ½ №3 25℃",
    "שלום, החשבון שלך",
    "ㅋㅋㅋ 네네",
    "SBI: கார்டில் செலவு, ஒளி",
    "419867 kodunuz.\n\n@papara.com #419867, info@bank4you.com",
    "Netflix ТАК https://casinospin24.example 7грн",
    "1&1: Rechnung 2 814,50 €",
]


@pytest.mark.parametrize(("disguised", "plain"), UNDONE)
def test_disguises_are_undone(normalizer: Normalizer, disguised: str, plain: str) -> None:
    assert normalizer(disguised) == plain


@pytest.mark.parametrize("text", CLEAN)
def test_clean_texts_stay(normalizer: Normalizer, text: str) -> None:
    assert normalizer(text).replace("カ月", "ｶ月") == text


def test_without_a_vocabulary_letters_are_joined() -> None:
    assert Normalizer()("b a n k a c c o u n t at paypal[.]com") == "bankaccount at paypal.com"


ODD = "".join(
    map(
        chr,
        [0x61, 0x430, 0x3B1, 0x531, 0x20, 0x200B, 0x200C, 0x200D, 0x2E, 0x30, 0x2D, 0xFF21, 0x1F170, 0x1D41A, 0x1D00],
    )
) + "".join(map(chr, [0x94D, 0x301, 0x308, 0x903, 0x915, 0xDCA, 0xDBB, 0xE40, 0xD55C, 0x1112, 0x6F22, 0x30AB, 0x1F1E9]))


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=80), st.text(alphabet=ODD + "bcdeпр,/:[]()", max_size=80)))
def test_once_is_enough(text: str) -> None:
    once = PLAIN(text)
    assert PLAIN(once) == once


PLAIN = Normalizer()


@pytest.mark.timeout(60)  # what grows with the square takes hours
@pytest.mark.parametrize(
    "unit",
    [
        "a ",
        "a.",
        "а\u200b",
        "\u200b",
        "a\u0301",
        "\u0301",
        "x[.]",
        "h.h",
        "a ก",
        "क्",
        "Aа",
        "1o.",
        " . ",
        "http",
        "\u200d",
    ],
)
def test_huge_texts_take_no_time(normalizer: Normalizer, unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert len(normalizer(text)) <= len(text)


def test_the_card_decides() -> None:
    tokenizer = make_tokenizer()
    assert read_normalizer({}, tokenizer) is None
    assert isinstance(read_normalizer({"normalization": NORMALIZATION}, tokenizer), Normalizer)
    assert make_normalizer(tokenizer)("Pаypal") == "Paypal"
    for wrong in (0, 2, "1", True):
        with pytest.raises(ModelUnavailable, match="normalization"):
            read_normalizer({"normalization": wrong}, tokenizer)


def test_composed_letters_are_left_composed(normalizer: Normalizer) -> None:
    text = unicodedata.normalize("NFD", "Müller café ёлка")
    assert normalizer(text) == unicodedata.normalize("NFC", text)
