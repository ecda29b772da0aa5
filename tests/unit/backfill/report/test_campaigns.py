"""Campaigns are found among noise, in bounded memory, whatever is changed from message to message."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sluice.backfill.report import campaigns
from sluice.backfill.report.campaigns import Campaign, Campaigns, Facts
from sluice.backfill.report.skeletons import skeletons
from sluice.backfill.report.times import NEVER
from tests.unit.backfill.report.outputs import report_on, row

HOUR_S = 3_600
BEGAN = int(np.datetime64("2026-03-02", "s").astype(np.int64))
NAMES = ("Anna", "Bilal", "Chloe", "Dmitri", "Elena", "Farah", "Giulia", "Hassan", "Ines", "Jamal")
TEMPLATES = {
    "English": "Dear {name}, your parcel {code} waits at the depot. Pay {amount} at {link} before it goes back",
    "German": "Hallo {name}, dein Konto wurde gesperrt! Bestätige mit Code {code} unter {link} oder zahle {amount}",
    "Russian": "Уважаемый {name}, ваша посылка {code} задержана. Оплатите {amount} на сайте {link} сегодня до вечера",
    "Arabic": "عزيزي {name} تم تعليق حسابك المصرفي رقم {code} يرجى دفع {amount} عبر الرابط {link} خلال يوم واحد",
    "Hindi": "प्रिय {name}, आपका बिजली बिल {code} बकाया है। आज रात कनेक्शन कटेगा, {amount} यहाँ जमा करें {link}",
    "Thai": "คุณ{name} พัสดุหมายเลข {code} ของคุณถูกระงับ กรุณาชำระ {amount} ที่ {link} ภายในวันนี้เท่านั้น",
    "Chinese": "尊敬的{name}，您的包裹{code}因地址不清无法派送，请在今天支付{amount}并点击{link}更新您的收货地址信息",
}
SYLLABLES = "ba de fi go hu ka le mi no pu ra se ti vo wu ya zo cha shi tra".split()
WORDS = [one + other + end for one in SYLLABLES for other in SYLLABLES for end in ("", "n", "s")]


def message(template: str, chance: random.Random) -> str:
    text = template.format(
        name=chance.choice(NAMES),
        code=f"{chance.choice('ABCDXYZ')}{chance.randrange(10**6):06}",
        amount=chance.choice(("{} EUR", "${}", "{} руб", "£{}.50")).format(chance.randrange(1, 900)),
        link=chance.choice(("https://p{}.example/x", "bit.example/{}", "www.d-{}.test/pay?a=1")).format(
            chance.randrange(999)
        ),
    )
    return text.upper() if chance.random() < 0.1 else text


def noise(chance: random.Random) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(chance.randint(6, 16)))


def gathered(
    texts: list[str],
    *,
    labels: list[int] | None = None,
    seconds: list[int] | None = None,
    senders: list[str | None] | None = None,
    batch: int = 500,
    **options: int | bool,
) -> Campaigns:
    found = Campaigns(**options)  # type: ignore[arg-type]
    for start in range(0, len(texts), batch):
        some = slice(start, start + batch)
        rows = len(texts[some])
        found.add(
            Facts(
                np.arange(start + 1, start + rows + 1),
                np.array((labels or [0] * len(texts))[some]),
                np.array((seconds or [NEVER] * len(texts))[some]),
                pa.array(texts[some], pa.large_string()),
                pa.array(senders[some], pa.large_string()) if senders else None,
            )
        )
    return found


@pytest.mark.parametrize("language", TEMPLATES)
def test_a_campaign_is_found_whole_and_pure_among_noise(language: str) -> None:
    chance = random.Random(language)
    texts = [(message(TEMPLATES[language], chance), True) for _ in range(200)]
    texts += [(noise(chance), False) for _ in range(2_000)]
    chance.shuffle(texts)
    found = gathered([text for text, _ in texts], labels=[int(ours) for _, ours in texts])
    largest = found.top(1, 5)[0]
    recall, precision = largest.labels.get(1, 0) / 200, largest.labels.get(1, 0) / largest.rows
    assert recall >= 0.95
    assert precision == 1.0
    assert sum(group.rows for group in found.top(99, 5)) <= 200  # noise is no campaign


def test_campaigns_of_all_languages_stay_apart() -> None:
    chance = random.Random(2)
    texts = [(message(template, chance), at) for at, template in enumerate(TEMPLATES.values()) for _ in range(60)]
    chance.shuffle(texts)
    found = gathered([text for text, _ in texts], labels=[at for _, at in texts])
    assert all(len(group.labels) == 1 for group in found.top(99, 2))
    assert {next(iter(group.labels)) for group in found.top(7, 50)} == set(range(7))


def test_counts_are_exact_and_batches_make_no_difference() -> None:
    texts, labels, senders, seconds = [], [], [], []
    for at in range(40):
        texts += [
            f"Your parcel {at:05} is held, pay {at} EUR at https://post{at}.example/x today",
            noise(random.Random(at)),
        ]
        labels += [at % 4 == 0, 2]
        senders += [f"+44{at % 30}", None]
        seconds += [BEGAN + at * 60, BEGAN]
    shown = []
    for batch in (1, 7, 100):
        group = gathered(texts, labels=labels, senders=senders, seconds=seconds, batch=batch).top(1, 5)[0]
        shown.append((group.row, group.rows, group.labels, group.distinct_senders, group.first, group.last))
    assert shown == [(1, 40, {True: 10, False: 30}, 30, BEGAN, BEGAN + 39 * 60)] * 3


def test_short_texts_are_no_campaign() -> None:
    found = gathered(["ok, see you at 8"] * 50)
    assert (found.rows, found.top(5, 1)) == (0, [])


@pytest.mark.parametrize(
    ("text", "skeleton"),
    [
        ("Pay £12.50 at HTTPS://a.example/x?y=1 now", "pay # at # now"),
        ("Kod AB12-99, do 05/11/2026.", "kod #, do #."),
        ("mail me@home.example or bit.example/Zz9", "mail # or #"),
        ("आपका कोड ४५६७ है", "आपका कोड # है"),
        ("您的验证码是123456请勿", "您的验证码是#请勿"),
        ("no change here", "no change here"),
    ],
)
def test_what_changes_is_masked(text: str, skeleton: str) -> None:
    assert skeletons(pa.array([text], pa.large_string())).to_pylist() == [skeleton]


def test_memory_is_bounded_and_a_large_campaign_survives_any_number_of_others() -> None:
    chance = random.Random(4)
    texts = [message(TEMPLATES["English"], chance) if at % 50 == 0 else noise(chance) for at in range(30_000)]
    found = gathered(texts, capacity=200, labels=[int(at % 50 == 0) for at in range(30_000)])
    assert len(found._groups) <= 2 * 200
    assert len(found._by_key) <= len(found._groups) * 8
    largest = found.top(1, 5)[0]
    assert largest.rows == largest.labels[1]
    assert 600 - found.missed <= largest.rows <= 600
    assert largest.rows >= 570


@pytest.mark.parametrize("count", [1, 100, 128, 5_000])
def test_senders_are_counted_while_few_and_estimated_then(count: int) -> None:
    senders: list[str | None] = [f"+4477{at:06}" for at in range(count)]
    group = gathered(["the same text for everybody in this town"] * count, senders=senders).top(1, 1)[0]
    assert group.many == (count > 128)
    assert group.distinct_senders == count if count <= 128 else abs(group.distinct_senders / count - 1) < 0.3
    assert len(group.senders) <= 128


def burst_of(offsets: list[int], whole_s: int) -> tuple[int, int, int] | None:
    seconds = [BEGAN + one for one in offsets]
    return (
        gathered(["the same text for everybody in this town"] * len(seconds), seconds=seconds)
        .top(1, 1)[0]
        .burst(whole_s)
    )


def test_a_burst_is_much_of_a_group_in_a_short_time_of_a_long_archive() -> None:
    month = 30 * 24 * HOUR_S
    within_minutes = [100 * HOUR_S + 60 * at for at in range(40)]
    spread = [at * 17 * HOUR_S for at in range(40)]
    assert burst_of(within_minutes + spread[:20], month) == (BEGAN + 100 * HOUR_S, 2 * HOUR_S, 40)
    assert burst_of([24 * HOUR_S * 3 + 1_800 * at for at in range(40)], month) == (BEGAN + 72 * HOUR_S, 48 * HOUR_S, 40)
    assert burst_of(spread, month) is None
    assert burst_of(within_minutes[:9], month) is None  # few
    assert burst_of(within_minutes, 8 * HOUR_S) is None  # the archive is no longer than that


def test_times_of_a_group_take_few_counters() -> None:
    group = Campaign(1, "", np.zeros(16, np.uint64), [])
    for hour in range(20_000):
        group.count_times([(hour, 2)])
    assert len(group.by_time) <= campaigns.MAX_COUNTERS
    assert sum(group.by_time.values()) == 40_000
    assert group.burst(20_000 * HOUR_S) is None


def test_what_nobody_wants_comes_first_however_small_then_size() -> None:
    kinds = {  # rows, and how many of them have label 1, which nobody wants
        "the large newsletter of the choir of this town": (90, 0),
        "a split notice on the water supply tomorrow": (80, 20),
        "free spins for every new player of our casino": (30, 30),
        "your account is locked so verify it at once": (40, 39),
        "a parcel waits for you and a small fee too": (5, 5),
        "see you at the meeting in the large room then": (70, 0),
    }
    texts = [text for text, (rows, _) in kinds.items() for _ in range(rows)]
    labels = [int(at < bad) for rows, bad in kinds.values() for at in range(rows)]
    found = gathered(texts, labels=labels)
    assert [(group.rows, group.count({1})) for group in found.top(9, 5, {1})] == [
        (30, 30), (40, 39), (5, 5), (80, 20), (90, 0), (70, 0),
    ]  # fmt: skip
    assert [group.rows for group in found.top(2, 5, {1})] == [30, 40]
    assert [group.rows for group in found.top(9, 5)] == [90, 80, 70, 40, 30, 5]


def test_the_page_begins_with_unwanted_campaigns_and_says_so(tmp_path: Path) -> None:
    wanted = [row(at, "ham", text="the newsletter of the choir of this town is out") for at in range(60)]
    unwanted = [row(at, "phishing", text=text) for at, (text, _) in enumerate(parcels(9))]
    page = report_on(tmp_path, [*wanted, *unwanted])
    assert page.index("like row 61") < page.index("like row 1\n")
    assert "First come groups with a large share of phishing, then large groups." in page
    assert "These 2 groups have 100.0% of the 69 rows that are long enough to tell." in " ".join(page.split())
    page = report_on(tmp_path, wanted)
    assert "The largest groups come first." in page
    assert "First come" not in page


def parcels(count: int) -> list[tuple[str, str]]:
    text = "Parcel {0:05} for {1} is held at our depot, pay {0} EUR at https://post{0}.example/x by monday"
    return [(text.format(at, NAMES[at % 10]), f"+4479{at:06}") for at in range(count)]


def test_the_page_shows_no_text_of_a_campaign_but_by_leave(tmp_path: Path) -> None:
    rows = [row(at, "ham") for at in range(300)]
    rows += [
        row(60 + at // 50, "ham" if at % 9 == 0 else "phishing", text=text, sender=sender)
        for at, (text, sender) in enumerate(parcels(45))
    ]
    page = report_on(tmp_path, rows)
    assert "like row 301" in page
    assert "Burst: 45 within 2 hours from 3 Nov 2026 12:00." in page
    assert "Split between labels." in page
    assert "phishing 88.9%, ham 11.1%" in page
    assert "is held at" not in page.lower()
    shown = report_on(tmp_path, rows, include_text=True)
    assert "parcel # for anna is held at our depot, pay # eur at # by monday" in shown


def test_a_page_without_times_speaks_of_no_burst(tmp_path: Path) -> None:
    rows = [
        row(at, "spam", text=text, sender=sender, received_at=None) for at, (text, sender) in enumerate(parcels(45))
    ]
    page = report_on(tmp_path, rows)
    assert "like row 1" in page
    assert "burst:" not in page.lower()
