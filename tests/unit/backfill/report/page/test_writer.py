"""The page: what it tells, what it never tells, and that it needs nothing else."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sluice.backfill.archive import wording as http_wording
from sluice.backfill.report.names import ReportNames
from sluice.backfill.report.page.writer import write_report
from sluice.backfill.run.stats import RunStats
from sluice.cli import wording
from sluice.tasks.errors import UnreadableArchive, UnwritableOutput
from tests.unit.backfill.report.outputs import NAMES, Line, failure, report_on, row, stats_of

VOID = frozenset({"meta", "img", "source", "br"})
LABELS = ("ham", "spam", "phishing")


class Page(HTMLParser):
    """Its text, pictures and links; whether every element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.scripts = "", 0
        self.urls: list[str] = []
        self.alts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.urls += [values[name] for name in ("src", "srcset", "href") if name in values]
        self.alts += [values["alt"]] if tag == "img" else []
        self.scripts += tag == "script" or any(name.startswith("on") for name in values)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


def rows_of(count: int = 90) -> list[Line]:
    return [row(at, LABELS[at % 3]) for at in range(count)]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_one_page_has_pictures_and_figures_of_everything(tmp_path: Path) -> None:
    stats = stats_of(
        rows_of(),
        sent=60,
        saved=30,
        runs=3,
        earlier_s=90.0,
        samples=[(float(at), at) for at in range(91)],
        restarts=[30.0, 60.0],
        notes=["skipped 2 files that hold no messages: a.jpg, b.mp4"],
    )
    page = Page(report_on(tmp_path, [*rows_of(), failure()], stats=stats))
    assert len(page.alts) == 6
    assert all(len(alt) > 40 for alt in page.alts)
    for told in (
        "91 rows", "dated 1 Nov 2026 to 4 Nov 2026", "ham 33.3% (30)", "one bar per hour", "Latin 100.0%",
        "30 rows (33.3%) with the text of another one", "sms-mini 3", "2 stops, carried on each time",
        "All times are in UTC.", "stopped and carried on 2 times", "1 row got no label", "invalid_input",
        "b.mp4", "90 senders in all.",
    ):  # fmt: skip
        assert told in page.text or any(told in alt for alt in page.alts), told


def test_the_page_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    html = report_on(tmp_path, rows_of(), include_text=True)
    page = Page(html)
    assert page.scripts == 0
    assert all(url.startswith("data:image/png;base64,") for url in page.urls)
    assert len(page.urls) == 2 * len(page.alts) == 10
    for url in page.urls:
        assert base64.b64decode(url.partition(",")[2]).startswith(b"\x89PNG")
    assert "url(" not in html
    assert "@import" not in html


@pytest.mark.parametrize("output_format", ["csv", "parquet"])
def test_without_leave_no_text_of_any_message_is_on_the_page(tmp_path: Path, output_format: str) -> None:
    rows = [row(at, LABELS[at % 3], text=f"xyzzy{at} secret") for at in range(60)]
    rows.append((None, None, "xyzzy-unread", None, None, "invalid_input: xyzzy-quoted is no text"))
    rows.append((None, None, None, None, None, "xyzzy_code_of_nobody_knows_what_" * 3))
    rows += [row(99, "spam", sender="Xyzzy of the mountain Smith", received_at="xyzzy o'clock", text="xyzzy")] * 3
    assert "xyzzy" not in report_on(tmp_path, rows, output_format=output_format).lower()


def test_numbers_of_senders_are_masked_and_sender_ids_are_not(tmp_path: Path) -> None:
    rows = [row(at, "spam", sender=("+447700900123", "SHOP", "60777")[at % 3]) for at in range(30)]
    html = report_on(tmp_path, rows)
    assert "447700900" not in html
    assert all(shown in html for shown in ("•123", "SHOP", "60777"))
    assert "+447700900123" in report_on(tmp_path, rows, include_text=True)


def test_of_people_s_names_only_the_first_letter_is_shown(tmp_path: Path) -> None:
    rows = [row(at, "spam", sender=("Bob Miller", "Kim")[at % 2]) for at in range(30)]
    text = Page(report_on(tmp_path, rows, replace(NAMES, people=True))).text
    assert not re.search("Miller|Kim|Bob", text)
    assert "B•••" in text
    assert "of names their first letter" in text


def test_texts_are_shown_when_they_may_be_and_cannot_change_the_page(tmp_path: Path) -> None:
    evil = "</bdi><script>alert(1)</script> \u202egnp.exe & \x1b[31m"
    rows = [
        row(at, LABELS[at % 3], text=evil if at < 3 else "plain", sender="<b>A</b>", probability=1.0)
        for at in range(30)
    ]
    html = report_on(tmp_path, rows, include_text=True, title="<i>title</i>")
    page = Page(html)
    assert page.scripts == 0
    assert "</bdi><script>alert(1)</script> ⟨U+202E⟩gnp.exe & ⟨U+001B⟩[31m" in page.text
    assert "<b>A</b>" in page.text
    assert "<i>title</i>" in page.text
    assert not re.search("[\u202e\x1b]", html)


def test_labels_of_any_model_are_shown_escaped_and_drawn_or_numbered(tmp_path: Path) -> None:
    labels = [
        "<script>",
        "$x_1$ and $",
        "ขยะ",
        "a very long name of a label that goes on and on and on",
        *map(str, range(16)),
    ]
    rows = [row(at, labels[at % 20]) for at in range(200)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # what pictures that do not fit come with
        page = Page(report_on(tmp_path, rows))
    assert page.scripts == 0
    assert all(label in page.text for label in labels[:4])


def test_a_label_from_right_to_left_turns_no_figures_round(tmp_path: Path) -> None:
    html = report_on(
        tmp_path, [row(at, ("عادي", "spam")[at % 2], text="see you at the meeting in the hall") for at in range(20)]
    )
    assert "one: spam 50.0% (10), <bdi>عادي</bdi> 50.0% (10)." in html
    assert "spam 50.0%, <bdi>عادي</bdi> 50.0%" in html
    assert "by label: spam 50.0% (10), عادي 50.0% (10)." in html


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "The archive has no rows"),
        ([failure()], "No row got a label."),
        ([failure(), failure("model_failed")], "2 rows got no label"),
        ([row(1)], "Every row got a label."),
        ([row(1, received_at="soon")], "No labelled row has a time that could be read."),
        ([row(1, sender=None)] * 3, "No labelled row has a sender."),
        ([row(1, text="…")], "no letters"),
        ([row(1), row(2)], "No sender has 3 rows or more."),
        ([row(1, sender="A")] * 3, "No sender with 3 rows or more sent any unwanted message"),
        ([row(1, "one", sender="A"), row(2, "two", sender="A")] * 2, "Which of these labels are unwanted is not known"),
    ],
)
def test_archives_that_lack_something_say_so(tmp_path: Path, rows: list[Line], told: str) -> None:
    assert told in Page(report_on(tmp_path, rows, include_text=True)).text


def test_nothing_is_said_of_rows_that_are_not_there(tmp_path: Path) -> None:
    empty = Page(report_on(tmp_path, [])).text
    assert "Every row got a label" not in empty
    assert "Over time" not in empty
    failed = Page(report_on(tmp_path, [(*row(1)[:3], None, None, "invalid_input: empty")])).text
    assert "Times are shown as they were written" not in failed


def test_one_is_no_plural_and_pictures_say_what_they_leave_out(tmp_path: Path) -> None:
    one = Page(report_on(tmp_path, [row(1), failure()])).text
    assert "1error" in one
    assert "scale of its own" not in one
    letters = "aαаաאاअবਅઅଅதఅ"
    many = Page(report_on(tmp_path, [row(at, LABELS[at % 3], text=letters[at % 13]) for at in range(39)])).text
    assert "the picture has the 12 most frequent" in many
    assert "Each label has a scale of its own" in many


def test_columns_that_are_not_there_are_told(tmp_path: Path) -> None:
    names = ReportNames(None, None, None, "label", "probability", "error")
    page = Page(report_on(tmp_path, rows_of(), names, words=wording.words))
    assert "--time-column names one" in page.text
    assert "--sender-column names one" in page.text
    assert "No labelled row has a text to look at." in page.text
    over_http = Page(report_on(tmp_path, rows_of(), names, words=http_wording.words)).text
    assert "; time_column names one" in over_http
    assert "; sender_column names one" in over_http


def test_matplotlib_waits_until_there_is_something_to_draw() -> None:
    code = "import sys, sluice.backfill.report.page.writer; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_report_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("the earlier one")
    with pytest.raises(UnreadableArchive):
        write_report(report, tmp_path / "gone", "csv", NAMES, RunStats(), title="t", include_text=False)
    assert report.read_text() == "the earlier one"
    report_on(tmp_path, [])
    assert names_in(tmp_path) == ["out", "report.html"]
    assert report.read_text().startswith("<!doctype html>")


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    report_on(tmp_path, [])
    target = tmp_path / "out"
    for report, told in (
        (tmp_path / "no" / "report.html", r"No such file or directory"),
        (tmp_path, "Is a directory|Directory not empty|File exists"),
        (target, "would overwrite the output"),
    ):
        with pytest.raises(UnwritableOutput, match=told):
            write_report(report, target, "csv", NAMES, RunStats(), title="t", include_text=False)
    assert names_in(tmp_path) == ["out", "report.html"]
    assert not [name for name in names_in(tmp_path.parent) if name.endswith(".part")]
