"""WhatsApp's exported chats, ``_chat.txt``, as iOS and Android write them in whatever locale."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

from sluice.backfill.formats import months
from sluice.backfill.formats.base import MAX_FIELD_CHARS, Finding
from sluice.backfill.formats.encoding import Encoding, whole
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.roles import roles_or
from sluice.backfill.formats.sample import Sample
from sluice.backfill.run.facts import Note, Option, Quoted
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import Column, Roles
from sluice.backfill.table.row import Row
from sluice.tasks.errors import NoMessages, UnreadableArchive
from sluice.tasks.sentence import Sentence

COLUMNS = ("date", "time", "timestamp", "sender", "text")
#: Marks of the direction of writing, and of the byte order: they mean nothing here.
_MARKS = "\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
#: Possessive, or thousands of them would be tried in every division among the places where they may stand.
_M = f"[{_MARKS}]*+"
_DATE = rf"(?P<date>{_M}\d{{1,4}}{_M}[/.-]{_M} ?\d{{1,2}}{_M}[/.-]{_M} ?\d{{1,4}}\.?)(?:\s?г\.)?"
_COLON = r"(?:[:.]|\s?h\s?)"
#: Half of the day before the time (Chinese, Korean, Japanese) or after it.
_TIME = (
    rf"(?P<time>(?:[^\W\d_]{{1,4}}\.?\s?)?{_M}\d{{1,2}}{_COLON}\d{{2}}(?:(?:[:.]|\s?min\s?)\d{{2}}(?:\s?s)?)?"
    rf"(?:\s?{_M}[^\W\d_][^\d\[\]:,\n-]{{0,11}}?)?)"
)
_DASH = rf"{_M}\s{_M}[-\u2013\u2014]{_M}\s{_M}"
#: Dates with the name of the month, or of year, month and day; some old exports leave out the year they were made in.
_OF = r"(?:\s?[.,،/-]?\s?(?:de\s|del\s)?)"
_WORD = r"[^\W\d_][^\s\d,،:\[\]/-]{1,14}"
_WEEKDAY = r"(?:[^\W\d_][^\s\d,،:\[\]/-]{1,14}[.,،]{0,2}\s)?"
_DATED = (
    rf"\d{{1,2}}{_OF}{_WORD}{_OF}\d{{4}}|\d{{1,2}}[-/]{_WORD}[-/]\d{{2}}|{_WORD}\s\d{{1,2}}\.?,?\s\d{{4}}"
    rf"|\d{{4}}{_OF}{_WORD}{_OF}\d{{1,2}}\.?|\d{{4}}\s?[年년]\s?\d{{1,2}}\s?[月월]\s?\d{{1,2}}\s?[日일]"
    r"|\d{1,2}\s(?:thg|tháng)\s\d{1,2},?\s(?:năm\s)?\d{4}"
)
_UNDATED = (
    rf"\d{{1,2}}{_OF}{months.pattern()}|{months.pattern()}\s\d{{1,2}}\.?|\d{{1,2}}\s?[月월]\s?\d{{1,2}}\s?[日일]"
    r"|\d{1,2}\s(?:thg|tháng)\s\d{1,2}"
)
_YEARS = rf"(?P<date>{_M}{_WEEKDAY}(?:{_DATED}))(?:\s?г\.)?"
_NAMED = rf"(?P<date>{_M}{_WEEKDAY}(?:{_DATED}|{_UNDATED}))(?:\s?г\.)?"
#: How messages begin, in the forms that exports have had. A file has one of them: what looks like another in it was
#: pasted by somebody.
FORMS = (
    # iOS ``[date, time] name: text``; Android ``date, time - name: text``.
    re.compile(rf"{_M}(?P<bracket>\[\s?)?{_DATE}{_M}[,،]?{_M}\s{_TIME}{_M}(?(bracket)\s?\]{_M}:?\s?|{_DASH})"),
    # iOS until 2016 ``date, time: name: text``.
    re.compile(rf"{_M}{_DATE}{_M}[,،]?{_M}\s{_TIME}{_M}:{_M}\s"),
    # Copied from WhatsApp Web ``[time, date] name: text``.
    re.compile(rf"{_M}\[\s?{_TIME}{_M}[,،]{_M}\s{_DATE}{_M}\s?\]{_M}\s?"),
    # Android until 2015 ``24 mar 13:59 - name: text``, ``13:59, 24 Mar - name: text``, and others with months' names.
    *(
        re.compile(form, re.IGNORECASE)
        for form in (
            rf"{_M}(?P<bracket>\[\s?)?{_NAMED}{_M}[,،]?{_M}\s{_TIME}{_M}(?(bracket)\s?\]{_M}:?\s?|{_DASH})",
            rf"{_M}{_YEARS}{_M}[,،]?{_M}\s{_TIME}{_M}:{_M}\s",
            rf"{_M}(?P<bracket>\[\s?)?{_TIME}{_M}[,،]{_M}\s{_NAMED}{_M}(?(bracket)\s?\]{_M}:?\s?|{_DASH})",
            rf"{_M}{_TIME}{_M}[,،]{_M}\s{_DATE}{_DASH}",
        )
    ),
)
_CLOCK = re.compile(rf"(\d{{1,2}}){_COLON}(\d{{2}})(?:(?:[:.]|\s?min\s?)(\d{{2}})(?:\s?s\b)?)?")
_NUMBERS = re.compile(r"\d+")
#: What stands beside a month that is a number.
_MONTH_SIGN = re.compile(r"[月월]|th(?:g|áng)", re.IGNORECASE)
#: The halves of the day as phones write them, without dots and spaces.
MORNING = frozenset(
    (
        "am πμ 上午 凌晨 早上 清晨 오전 午前 ص صباحا قظ öö de sa pg vorm dop fm ap pd midnight"
        " पूर्वाह्न পূর্বাহ্ণ முற்பகல் ก่อนเที่ยง"
    ).split()
)
EVENING = frozenset(
    (
        "pm μμ 下午 中午 晚上 傍晚 오후 午後 م مساء بظ ös du ch ptg nachm odp em ip md noon अपराह्न অপরাহ্ণ பிற்பகல் หลังเที่ยง"
    ).split()
)
#: What stands beside a time of 24 hours: "at", "o'clock".
CLOCK = frozenset("à às klo kl om um ч at uhr ore ora h hrs óra год kell น".split())

#: Position of day, month and year, by order.
ORDERS = {"dmy": (0, 1, 2), "mdy": (1, 0, 2), "ymd": (2, 1, 0)}
#: Years of other calendars: Thailand's are ahead by so many, and Iran's can be told, but not what day they mean.
BUDDHIST_YEARS, BUDDHIST = range(2400, 2700), 543
YEARS = range(1970, 2200)
#: Dates without digits for the month that are remembered for their language.
MAX_NAMED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFinding(Finding):
    """``newline`` is what ``open`` takes for its lines."""

    encoding: Encoding
    newline: str


def probe(sample: Sample) -> ChatFinding | None:
    """It begins as a message does."""
    return _lines_of(sample) if form_of(sample.head) is not None else None


def _lines_of(sample: Sample) -> ChatFinding:
    return ChatFinding(encoding=sample.encoding, newline="\n" if "\n" in sample.text else "")


def form_of(head: str) -> re.Pattern[str] | None:
    """The form of a chat that begins with ``head``; None if it is none."""
    return next((form for form in FORMS if form.match(head)), None)


def open_reader(input_file: InputFile, options: ReadOptions, finding: Finding | None = None) -> ChatReader:
    """A reader that has gone through the file once, for the order of its dates.

    Raises:
        UnreadableArchive: no line of it begins a message.
    """
    found = finding if isinstance(finding, ChatFinding) else _lines_of(Sample.of(input_file, options))
    return ChatReader(input_file, options, found)


@dataclass(slots=True)
class Message:
    """A message as it is written: ``lines`` without ends, ``header`` None before the first line that has a date."""

    header: re.Match[str] | None
    lines: list[str] = field(default_factory=list)
    chars: int = 0

    def add(self, piece: str, begins: bool) -> None:
        """A line, or more of it; keeps no more than ``MAX_FIELD_CHARS`` and one piece."""
        if self.chars <= MAX_FIELD_CHARS:
            if begins:
                self.lines.append(piece)
            else:
                self.lines[-1] += piece
        self.chars += len(piece) + begins


class ChatReader:
    """One row for every message; ``sender`` is None for what WhatsApp itself says.

    ``date`` and ``time`` are as written; ``timestamp`` is ISO 8601 without a zone, None for a time that does not exist.
    """

    def __init__(self, input_file: InputFile, options: ReadOptions, finding: ChatFinding) -> None:
        self._input_file = input_file
        self.columns: Sequence[Column] = [Column(name) for name in COLUMNS]
        self.roles: Roles = roles_or(
            Roles("text", "sender", "timestamp", people=True), input_file.name, COLUMNS, options
        )
        assert self.roles.text is not None
        self._text = COLUMNS.index(self.roles.text)
        self._encoding, self._newline = finding.encoding, finding.newline
        self.notes: list[Note] = [self._encoding.note] if self._encoding.note else []
        self._form = self._found()
        survey = DateSurvey()
        for message in self._messages():
            if message.header is not None:
                survey.add(message.header["date"])
        self._languages = survey.languages
        if survey.yearless:
            self.notes.append(f"its dates have no year in {survey.yearless:,} messages: they have no timestamp")
        self._order = options.date_order or survey.order(self.notes)
        if self._order not in ORDERS:
            raise UnreadableArchive(
                Sentence(
                    "there is no order of dates {wanted}: {option} takes {orders}",
                    wanted=Quoted(self._order),
                    option=Option.DATE_ORDER,
                    orders=", ".join(ORDERS),
                )
            )

    def rows(self) -> Iterator[Row]:
        rows = map(self._row, self._messages())
        return rows if self._encoding.is_utf8 else map(whole, rows)

    def close(self) -> None:
        """Nothing is open between two calls of ``rows``."""

    def _row(self, message: Message) -> Row:
        text = "\n".join(message.lines)[:MAX_FIELD_CHARS]
        header = message.header
        if header is None:
            return Row([None, None, None, None, text], None, "the lines before the first message belong to none")
        first, colon, _ = text.partition("\n")[0].partition(": ")
        sender = None
        if colon or first.endswith(":"):
            sender = first if colon else first[:-1]
            text = text[len(first) + len(colon) :]
        date, time = header["date"], header["time"]
        values = [date, time, timestamp(date, time, self._order, self._languages), sender, text]
        if message.chars - 1 > MAX_FIELD_CHARS:
            return Row(values, None, f"the message is longer than {MAX_FIELD_CHARS:,} characters")
        return Row(values, values[self._text])

    def _found(self) -> re.Pattern[str]:
        """The form of the first message."""
        with self._input_file.open() as raw:
            forms = (form_of(line) for line, begins in _lines(raw, self._encoding, self._newline) if begins)
            found = next((form for form in forms if form is not None), None)
        if found is None:
            raise NoMessages(f"{self._input_file.name} is no WhatsApp chat: no line begins with a date and a time")
        return found

    def _messages(self) -> Iterator[Message]:
        message = Message(None)
        with self._input_file.open() as raw:
            for line, begins in _lines(raw, self._encoding, self._newline):
                header = self._form.match(line) if begins else None
                if header is not None:
                    if message.header is not None or any(map(str.strip, message.lines)):
                        yield message
                    message = Message(header)
                    line = line[header.end() :].lstrip("\u200e\u200f")
                message.add(line, begins)
        yield message


class DateSurvey:
    """What the dates of a whole file say about their order, and of months' names about their language."""

    def __init__(self) -> None:
        self.dates = self.yearless = 0
        self._impossible = dict.fromkeys(ORDERS, 0)
        self._backwards = dict.fromkeys(ORDERS, 0)
        self._before: dict[str, tuple[int, int, int]] = {}
        self._named: dict[str, None] = {}
        self._last = ""

    @property
    def languages(self) -> Sequence[str]:
        """Those whose months' names the dates have."""
        return months.languages_of(self._named)

    def add(self, date: str) -> None:
        """The next message's date, as written."""
        self.dates += 1
        self.yearless += not _has_year(date)
        if date == self._last:
            return
        self._last = date
        if _is_named(date):
            if len(self._named) < MAX_NAMED:
                self._named[date] = None
            return
        for order in ORDERS:
            day = parsed_date(date, order)
            if day is None:
                self._impossible[order] += 1
                continue
            self._backwards[order] += day < self._before.get(order, day)
            self._before[order] = day

    def order(self, notes: list[Note]) -> str:
        """The order with the fewest impossible dates, then the fewest that go backwards, then ``dmy``."""
        marks = {order: (self._impossible[order], self._backwards[order]) for order in ORDERS}
        best = min(ORDERS, key=lambda order: marks[order])
        # A year of two digits at the front is so rare that it must fit better to be thought of.
        rivals = [order for order in ("dmy", "mdy") if order != best and marks[order] == marks[best]]
        if any(self._before.get(order) != self._before.get(best) for order in rivals):
            notes.append(
                Sentence(
                    "its dates fit {orders}; read as {best}: {option} says otherwise",
                    orders=" and ".join((best, *rivals)),
                    best=best,
                    option=Option.DATE_ORDER,
                )
            )
        return best


def _is_named(date: str) -> bool:
    """Whether its month is a word."""
    return len(_NUMBERS.findall(date)) < 3 and _MONTH_SIGN.search(date) is None


def _has_year(date: str) -> bool:
    numbers = len(_NUMBERS.findall(date))
    return numbers == 3 or (numbers == 2 and _is_named(date))


def parsed_date(date: str, order: str, languages: Sequence[str] = months.LANGUAGES) -> tuple[int, int, int] | None:
    """Year, month and day of a date as written; None if there is no such day, or no year."""
    numbers = [int(number) for number in _NUMBERS.findall(date)]
    if not _has_year(date):
        return None
    if _is_named(date):
        month = months.month_of(date, languages)
        day, year = numbers if numbers[0] <= 31 else reversed(numbers)
    else:
        day, month, year = (numbers[at] for at in ORDERS[order])
    if year < 100:
        year += 2000
    elif year in BUDDHIST_YEARS:
        year -= BUDDHIST
    if month is None or year not in YEARS:
        return None
    try:
        datetime(year, month, day)  # noqa: DTZ001 - phones write their own time
    except ValueError:
        return None
    return year, month, day


def timestamp(date: str, time: str, order: str, languages: Sequence[str] = months.LANGUAGES) -> str | None:
    """ISO 8601 of a date and a time as written; None if there is no such moment."""
    day = parsed_date(date, order, languages)
    clock = _CLOCK.search(time)
    if day is None or clock is None:
        return None
    hour, minute, second = (int(number or 0) for number in clock.groups())
    around = (re.sub(rf"[{_MARKS}.\s]", "", part).lower() for part in (time[: clock.start()], time[clock.end() :]))
    mark = "".join(part for part in around if part not in CLOCK)
    if mark:
        if mark not in MORNING | EVENING or not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if mark in EVENING else 0)
    try:
        return datetime(*day, hour, minute, second).isoformat()  # noqa: DTZ001 - phones write their own time
    except ValueError:
        return None


def _lines(raw: BinaryIO, encoding: Encoding, newline: str) -> Iterator[tuple[str, bool]]:
    """Lines without their ends, and whether a line begins here: a long one comes in several pieces."""
    begins = True
    with io.TextIOWrapper(raw, encoding.name, encoding.errors, newline=newline or None) as text:
        while line := text.readline(MAX_FIELD_CHARS):
            ended = line.endswith("\n")
            yield line.rstrip("\r\n") if ended else line, begins
            begins = ended
