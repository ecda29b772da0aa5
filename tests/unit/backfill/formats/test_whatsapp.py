"""WhatsApp's exported chats."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from sluice.backfill.formats import whatsapp
from sluice.backfill.formats.whatsapp import DateSurvey, timestamp
from sluice.backfill.run.facts import Note
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import Roles
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import format_name
from tests.unit.backfill.wording import refused, told


@pytest.fixture
def read(input_file: Any) -> Any:
    def read(content: str | Path, **options: Any) -> Any:
        made = input_file(content.encode() if isinstance(content, str) else content)
        return whatsapp.open_reader(made, ReadOptions(**options))

    return read


def test_an_export_of_ios_is_read(read: Any, fixtures: Path, by_name: Any) -> None:
    reader = read(fixtures / "whatsapp_ios.txt")
    assert reader.roles == Roles("text", "sender", "timestamp", people=True)
    assert told(reader.notes) == []
    rows = by_name(reader)
    assert [row["sender"] for row in rows] == ["Robin", "Robin", "Kim Example", None]
    assert [row["timestamp"] for row in rows] == [
        "2024-01-13T09:05:01",
        "2024-01-13T12:07:30",
        "2024-01-13T23:59:59",
        "2024-01-14T00:00:00",
    ]
    assert rows[1]["text"] == "Shall we meet?\nBring the list:\n- tea"
    assert rows[3]["text"] == "Kim Example left"
    assert (rows[0]["date"], rows[0]["time"]) == ("13/01/2024", "9:05:01\u202fAM")
    assert [row.text for row in reader.rows()] == [row["text"] for row in rows]


def test_an_export_of_android_is_read(read: Any, fixtures: Path, by_name: Any) -> None:
    reader = read(fixtures / "whatsapp_android.txt")
    assert [list(row.values()) for row in by_name(reader)] == [
        ["1/12/24", "19:02", "2024-01-12T19:02:00", None, "Messages to this group are end-to-end encrypted."],
        ["1/12/24", "19:03", "2024-01-12T19:03:00", "Kim", "note: buy milk"],
        ["1/13/24", "7:05", "2024-01-13T07:05:00", "+44 7700 900123", "see https://example.com/a: b\n\nand a last"],
        ["13/13/24", "7:06", None, "Kim", "when is this?"],
    ]


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("20/6/2017 8:28 p. m. - Robin: hello", "2017-06-20T20:28:00"),
        ("2021-03-18, 3:02 p.m. - Robin: hello", "2021-03-18T15:02:00"),
        ("18.12.19, 15:57 - Robin: hello", "2019-12-18T15:57:00"),
        ("[2024/10/31 15:50:46] Robin: hello", "2024-10-31T15:50:46"),
        ("[2024/10/31 下午3:50:46] Robin: hello", "2024-10-31T15:50:46"),
        ("2024. 10. 31. 오전 12:50, ", None),
        ("2024. 10. 31. 오전 12:50 - Robin: hello", "2024-10-31T00:50:00"),
        ("[31.10.24, 15.50.46] Robin: hello", "2024-10-31T15:50:46"),
        ("\u200f[31/10/2024، 3:50:46 م] Robin: hello", "2024-10-31T15:50:46"),
        ("٣١/١٠/٢٠٢٤، ٣:٥٠ م - Robin: hello", "2024-10-31T15:50:00"),
        ("۲۰۲۴/۱۰/۳۱،\u200f ۱۵:۵۰ - Robin: hello", "2024-10-31T15:50:00"),
        ("31.10.2024 klo 15.50 - Robin: hello", "2024-10-31T15:50:00"),
        ("31/10/2024 à 15:50 - Robin: hello", "2024-10-31T15:50:00"),
        ("31.10.2024 г., 15:50 ч. - Robin: hello", "2024-10-31T15:50:00"),
        ("\u200f31\u200f/10\u200f/2024, 3:50 م - Robin: hello", "2024-10-31T15:50:00"),
        ("31/10/2024, 13:50 PM - Robin: hello", ""),
        ("31/10/2024, 3:50 xyz - Robin: hello", ""),
        ("31/10/2024, 25:50 - Robin: hello", ""),
    ],
)
def test_lines_of_many_locales_begin_a_message(read: Any, line: str, moment: str | None) -> None:
    """``moment``: None for a line that begins no message, empty for one whose time does not exist."""
    if moment is None:
        with pytest.raises(UnreadableArchive, match="no line begins"):
            read(line)
        return
    (row,) = read(line).rows()
    assert row.values[2:] == [moment or None, "Robin", "hello"]


@pytest.mark.parametrize(
    ("dates", "order", "ambiguous"),
    [
        (["13/1/24", "1/2/24"], "dmy", False),
        (["1/13/24", "2/1/24"], "mdy", False),
        (["2024/1/2"], "ymd", False),
        (["1/2/24", "2/2/24", "1/3/24"], "dmy", False),
        (["1/2/24", "1/3/24", "2/1/24"], "mdy", False),
        (["1/2/24", "3/4/24"], "dmy", True),
        (["5/5/2024"], "dmy", False),
        (["24/1/2", "24/1/31", "24/2/1"], "ymd", False),
    ],
)
def test_the_order_of_dates_is_found_in_the_whole_file(dates: list[str], order: str, ambiguous: bool) -> None:
    notes: list[Note] = []
    survey = DateSurvey()
    for one in dates:
        survey.add(one)
    assert survey.order(notes) == order
    assert bool(notes) == ambiguous


def test_the_order_of_dates_can_be_said(read: Any) -> None:
    reader = read("1/2/24, 10:00 - Robin: hello", date_order="mdy")
    assert [row.values[2] for row in reader.rows()] == ["2024-01-02T10:00:00"]
    assert told(reader.notes) == []
    with refused(UnreadableArchive, "--date-order takes dmy, mdy, ymd"):
        read("1/2/24, 10:00 - Robin: hello", date_order="ydm")


DAYS = st.dates(date(2010, 1, 1), date(2035, 12, 31))


@given(DAYS, st.integers(40, 400), st.sampled_from(["dmy", "mdy", "ymd"]), st.sampled_from("/.-"))
def test_a_chat_over_weeks_has_one_order_of_dates(first: date, days: int, order: str, separator: str) -> None:
    written = {"dmy": "%d/%m/%Y", "mdy": "%m/%d/%Y", "ymd": "%Y/%m/%d"}[order].replace("/", separator)
    survey = DateSurvey()
    for number in range(days):
        survey.add((first + timedelta(days=number)).strftime(written))
    assert survey.order([]) == order


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)), st.sampled_from([" ", "\u202f", "\u00a0", ""]))  # noqa: DTZ001
def test_both_clocks_give_the_same_moment(moment: datetime, space: str) -> None:
    moment = moment.replace(microsecond=0)
    day = moment.strftime("%d/%m/%Y")
    half = f"{moment.hour % 12 or 12}:{moment:%M:%S}{space}{'am' if moment.hour < 12 else 'p. m.'}"
    assert timestamp(day, half, "dmy") == timestamp(day, f"{moment:%H:%M:%S}", "dmy") == moment.isoformat()


LINES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=40), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES)
def test_no_line_is_lost(read: Any, lines: list[str]) -> None:
    text = "\n".join(line.replace("\n", " ") for line in lines)
    reader = read(f"1/2/24, 10:00 - Robin: {text}\n1/3/24, 10:00 - Kim: end")
    assert [row.text for row in reader.rows()] == [text, "end"]


def test_lines_before_the_first_message_are_a_row_with_a_problem(read: Any) -> None:
    first, second = read("what is this\nand this\n1/2/24, 10:00 - Robin: hello\n").rows()
    assert (first.values[-1], first.text) == ("what is this\nand this", None)
    assert first.problem == "the lines before the first message belong to none"
    assert second.text == "hello"


@pytest.mark.parametrize("break_every", [10_000, 3_000_000])
def test_an_over_long_message_is_a_problem_and_is_cut(read: Any, break_every: int) -> None:
    body = "\n".join("x" * min(break_every, 2_500_000) for _ in range(max(1, 2_500_000 // break_every)))
    first, second = read(f"1/2/24, 10:00 - Robin: {body}\n1/2/24, 10:01 - Kim: next\n").rows()
    assert (first.text, first.problem) == (None, "the message is longer than 1,000,000 characters")
    assert len(first.values[-1]) <= 1_000_000
    assert second.text == "next"


def test_other_encodings_are_read(input_file: Any) -> None:
    content = "1/2/24, 10:00 - Zoë: café\n".encode("utf-16")
    (row,) = whatsapp.open_reader(input_file(content), ReadOptions()).rows()
    assert row.values[3:] == ["Zoë", "café"]


#: A date and a time as exports have had them, and the moment.
STAMPS = [
    ("24/3/14, 13:59:48", "2014-03-24T13:59:48"),
    ("24/3/14 13:59:48", "2014-03-24T13:59:48"),
    ("09/12/2012 17:03:48", "2012-12-09T17:03:48"),
    ("24.03.14 13:59:48", "2014-03-24T13:59:48"),
    ("24.03.2014, 13:59", "2014-03-24T13:59:00"),
    ("2014-03-24 13:59:48", "2014-03-24T13:59:48"),
    ("2014/03/24 13:59", "2014-03-24T13:59:00"),
    ("24-03-14 13.59.48", "2014-03-24T13:59:48"),
    ("24/3/14, 1:59:48 PM", "2014-03-24T13:59:48"),
    ("24/3/14, 1:59:48\u202fPM", "2014-03-24T13:59:48"),
    ("24/3/14, 1:59:48\u00a0p. m.", "2014-03-24T13:59:48"),
    ("24/3/14 下午1:59:48", "2014-03-24T13:59:48"),
    ("24.03.14, 13:59 Uhr", "2014-03-24T13:59:00"),
    ("2014-03-24 13 h 59", "2014-03-24T13:59:00"),
    ("2014-03-24 13 h 59 min 48 s", "2014-03-24T13:59:48"),
    ("24/3/14 at 13:59", "2014-03-24T13:59:00"),
]
FORMS = ["{}: {}", "{} - {}", "{} \u2013 {}", "[{}] {}", "\u200e[{}] {}", "[{}]: {}", "\ufeff{}: {}", "\u200e{}: {}"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("stamp", "moment"), STAMPS)
def test_every_form_of_exports_is_read(read: Any, input_file: Any, form: str, stamp: str, moment: str) -> None:
    lines = ["\u200eMessages are secured.", "Mia Example: are we on?", "Tom: yes: at\nsee you there", "Tom: now - ok"]
    content = "".join(f"{form.format(stamp, line)}\n" for line in lines)
    order = "ymd" if stamp.startswith("20") else "dmy"
    assert format_name(input_file(content.encode())) == "whatsapp"
    rows = list(read(content, date_order=order).rows())
    assert [row.values[2] for row in rows] == [moment] * 4
    assert [row.values[3] for row in rows] == [None, "Mia Example", "Tom", "Tom"]
    assert [row.text for row in rows][1:] == ["are we on?", "yes: at\nsee you there", "now - ok"]


def test_what_was_copied_from_a_browser_is_read(read: Any) -> None:
    rows = list(read("[13:59, 24/3/2014] Mia: hello\n[2:01 PM, 24/3/2014] Tom: yes\nno\n").rows())
    assert [(row.values[2], row.values[3], row.text) for row in rows] == [
        ("2014-03-24T13:59:00", "Mia", "hello"),
        ("2014-03-24T14:01:00", "Tom", "yes\nno"),
    ]


def test_a_message_that_holds_another_form_is_one_message(read: Any) -> None:
    text = "look:\n24/3/14, 13:59:48: Mia: hello\n[13:59, 24/3/2014] Mia: hello"
    assert [row.text for row in read(f"[01.04.26, 18:00:01] Tom: {text}\n[01.04.26, 18:00:02] Tom: end\n").rows()] == [
        text,
        "end",
    ]


def test_a_lone_carriage_return_is_a_character_of_its_message(read: Any) -> None:
    assert [row.text for row in read("1/2/24, 10:00 - Mia: one\rtwo\r\n1/2/24, 10:01 - Mia: three\n").rows()] == [
        "one\rtwo",
        "three",
    ]
    assert [row.text for row in read("1/2/24, 10:00 - Mia: one\r1/2/24, 10:01 - Mia: two\r").rows()] == ["one", "two"]


def test_blank_lines_before_the_first_message_are_nothing(read: Any) -> None:
    assert [row.text for row in read("\n \r\n1/2/24, 10:00 - Mia: one\n").rows()] == ["one"]


#: Dates with months' names as exports of before 2016 have had them, and the day; None where they leave out the year.
NAMED = [
    ("24 mars 2014", "2014-03-24"),
    ("24 Mar 2014", "2014-03-24"),
    ("Mar 24, 2014", "2014-03-24"),
    ("March 24, 2014", "2014-03-24"),
    ("24. März 2014", "2014-03-24"),
    ("24 de mar de 2014", "2014-03-24"),
    ("24 de março de 2014", "2014-03-24"),
    ("24/mar/2014", "2014-03-24"),
    ("24-Mar-14", "2014-03-24"),
    ("mar. 25 mars 2014", "2014-03-25"),
    ("Mon, 24 Mar 2014", "2014-03-24"),
    ("2014. márc. 24.", "2014-03-24"),
    ("24 марта 2014 г.", "2014-03-24"),
    ("24 มี.ค. 2557", "2014-03-24"),
    ("24 במרץ 2014", "2014-03-24"),
    ("24 أكتوبر 2014", "2014-10-24"),
    ("24 thg 3, 2014", "2014-03-24"),
    ("2014年3月24日", "2014-03-24"),
    ("2014년 3월 24일", "2014-03-24"),
    ("24 smarch 2014", None),
    ("24 mar", None),
    ("24. Mär.", None),
    ("24 de ago.", None),
    ("24 มี.ค.", None),
    ("Mar 24", None),
    ("3月24日", None),
]
NAMED_FORMS = [
    "{date} {time} - {line}",
    "{date}, {time} - {line}",
    "[{date}, {time}] {line}",
    "{time}, {date} - {line}",
]


@pytest.mark.parametrize("form", NAMED_FORMS)
@pytest.mark.parametrize(("day", "iso"), NAMED)
def test_dates_with_names_of_months_are_read(read: Any, input_file: Any, form: str, day: str, iso: str | None) -> None:
    lines = ["Mia Example: are we on?", "Tom: yes: at\nsee you there", "Tom: now - ok"]
    content = "".join(f"{form.format(date=day, time='13:59', line=line)}\n" for line in lines)
    assert format_name(input_file(content.encode())) == "whatsapp"
    rows = list(read(content).rows())
    assert [row.values[2] for row in rows] == [iso and f"{iso}T13:59:00"] * 3
    assert [row.values[3] for row in rows] == ["Mia Example", "Tom", "Tom"]
    assert [row.text for row in rows] == ["are we on?", "yes: at\nsee you there", "now - ok"]


def test_dates_without_a_year_are_noted(read: Any) -> None:
    reader = read("24 dic 2013 13:59 - Mia: one\n2 ene 13:59 - Tom: two\n3 ene 14:00 - Tom: three\n")
    assert [row.values[2] for row in reader.rows()] == ["2013-12-24T13:59:00", None, None]
    assert told(reader.notes) == ["its dates have no year in 2 messages: they have no timestamp"]


@pytest.mark.parametrize(
    ("dates", "months"),
    [
        (["5 lis 2014", "5 sty 2015"], ["11", "01"]),
        (["5. lis. 2014", "5. sij. 2015"], ["10", "01"]),
        (["5 mart 2014", "5 nis 2014"], ["03", "04"]),
        (["5 juin 2014", "5 juil. 2014"], ["06", "07"]),
        (["5 marrask. 2014", "5 maalisk. 2014"], ["11", "03"]),
    ],
)
def test_the_language_of_months_is_found_in_the_whole_file(read: Any, dates: list[str], months: list[str]) -> None:
    rows = read("".join(f"{date} 13:59 - Mia: hello\n" for date in dates)).rows()
    assert [row.values[2][5:7] for row in rows] == months


@pytest.mark.parametrize(
    ("date", "moment"), [("24/3/2557", "2014-03-24T13:59:00"), ("1393/1/4", None), ("24/3/2024", "2024-03-24T13:59:00")]
)
def test_years_of_other_calendars(date: str, moment: str | None) -> None:
    assert timestamp(date, "13:59", "ymd" if date.startswith("1393") else "dmy") == moment


@pytest.mark.parametrize(
    "line",
    [
        "Mar 24 13:59:01 router sshd[1]: Accepted",
        "Mar 24 13:59:01: %LINK-3-UPDOWN: Interface",
        "Meet 24 at 13:59 - bring: cake",
        "13:59, call Mia - now: please",
        "24 people 13:59 - Mia: hello",
    ],
)
def test_what_only_resembles_a_date_begins_no_chat(input_file: Any, line: str) -> None:
    assert format_name(input_file(f"{line}\n{line}\n".encode())) != "whatsapp"


@pytest.mark.parametrize(
    "line", ["\u200e" * 100_000, "24 mar 13:59" + "\u200e" * 100_000, "24 de " * 20_000, "[ " * 50_000]
)
def test_no_line_takes_long_to_be_told_from_a_message(line: str) -> None:
    """Tried in every division, the first of these would take hours."""
    started = time.process_time()
    assert whatsapp.form_of(line) is None
    assert time.process_time() - started < 5
