"""XML of SMS Backup & Restore."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.backfill.formats import backup_xml
from sluice.backfill.formats.backup_xml import BackupReader
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import Roles
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import format_name
from tests.unit.backfill.wording import told


@pytest.fixture
def read(input_file: Any) -> Any:
    def read(content: bytes | Path, **options: Any) -> BackupReader:
        return backup_xml.open_reader(input_file(content), ReadOptions(**options))

    return read


def sms(body: str) -> bytes:
    return f'<sms address="+447700900123" date="1" body="{body}"/>\n'.encode()


def document(*elements: bytes, root: str = "smses") -> bytes:
    return f"<{root}>".encode() + b"".join(elements) + f"</{root}>".encode()


def test_the_fixture_gives_every_message_in_order(read: Any, fixtures: Path, by_name: Any) -> None:
    reader = read(fixtures / "sms_backup.xml")
    assert reader.roles == Roles("body", "address", "date")
    assert told(reader.notes) == []
    rows = list(reader.rows())
    assert [(row.text, row.problem) for row in rows] == [
        ('Tea at four? I\'ll bring "the" cake & cups', None),
        ("Your parcel waits 😀\npay here: example.com/p", None),
        ("lone \ufffd half and \ufffd nothing", None),
        ("first line\nsecond line", None),
        (None, "the message has no text"),
    ]
    found = by_name(reader)
    assert [row["address"] for row in found] == ["+447700900123", "PARCEL", *(f"+44770090012{n}" for n in (4, 5, 7))]
    assert [row["date"] for row in found] == [str(1700000000000 + 60_000 * number) for number in range(5)]
    assert [row["kind"] for row in found] == ["sms", "sms", "sms", "mms", "mms"]
    assert found[0]["subject"] is None
    assert found[0]["contact_name"] == "Robin"
    assert found[1]["locked"] == "0"
    assert found[3]["extra"] == "kept"
    assert found[3]["body"] == "first line\nsecond line"
    assert list(reader.rows()) == rows


@pytest.mark.parametrize("tail", [b"", b'<sms body="unfinis', b"</smses", b'<mms><parts><part ct="text/plain"/>'])
def test_a_cut_off_file_gives_its_rows_and_then_a_problem(read: Any, tail: bytes) -> None:
    *rows, last = read(b"<smses>\n" + sms("one") + sms("two") + tail).rows()
    assert [row.text for row in rows] == ["one", "two"]
    assert last.text is None
    assert last.problem is not None
    assert last.problem.startswith("the XML ends in the middle, at line 4")


def test_a_broken_message_is_a_row_with_its_line(read: Any) -> None:
    rows = list(read(document(sms("one"), b"<sms body=broken/>", sms("next"))).rows())
    assert [row.text for row in rows] == ["one", None, "next"]
    assert "broken at line 2" in str(rows[1].problem)
    assert "next" not in str(rows[1].problem)


def test_an_element_without_an_end_is_given_up(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_xml, "MAX_ELEMENT_BYTES", 4_096)
    monkeypatch.setattr(backup_xml, "CHUNK_BYTES", 1_024)
    rows = list(read(b"<smses>" + sms("one") + b'<sms body="' + b"x" * 100_000).rows())
    assert rows[0].text == "one"
    assert "more than 4,096 bytes" in str(rows[-1].problem)


def test_an_element_that_is_little_too_long_is_given_up_too(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_xml, "MAX_ELEMENT_BYTES", 4_096)
    monkeypatch.setattr(backup_xml, "CHUNK_BYTES", 1_024)
    rows = list(read(document(sms("one"), sms("x" * 7_000), sms("two"))).rows())
    assert rows[0].text == "one"
    assert "more than 4,096 bytes" in str(rows[1].problem)


def test_a_long_text_is_a_problem_of_its_row(read: Any) -> None:
    first, second = read(document(sms("x" * 1_000_001), sms("two"))).rows()
    assert first.problem == "the text is longer than 1,000,000 characters"
    assert "x" * 100 not in first.values
    assert second.text == "two"


def test_bytes_that_are_no_utf8_are_replaced_and_noted(read: Any) -> None:
    reader = read(document(sms("one"), b'<sms body="caf\xe9"/>', sms("é")))
    assert [row.text for row in reader.rows()] == ["one", "caf\ufffd", "é"]
    assert "no UTF-8" in told(reader.notes)[0]


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1"])
def test_the_declared_encoding_counts(read: Any, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><smses><sms body="café"/></smses>'
    assert [row.text for row in read(text.encode(encoding)).rows()] == ["café"]


def test_another_count_of_messages_is_noted(read: Any) -> None:
    reader = read(b'<smses count="7">' + sms("one") + b"<sticker/></smses>")
    assert "messages it says that it holds: 7; it holds 1" in told(reader.notes)[0]
    assert "1 elements that are neither sms nor mms" in told(reader.notes)[1]


@pytest.mark.parametrize("where", [b'SYSTEM "file:///etc/hostname"', b'PUBLIC "-//x//y" "http://127.0.0.1:1/x.dtd"'])
def test_entities_that_are_declared_elsewhere_are_refused(read: Any, where: bytes) -> None:
    with pytest.raises(UnreadableArchive, match="declares XML entities"):
        read(b"<!DOCTYPE smses " + where + b'><smses><sms body="one &a; two"/></smses>')


def test_entities_are_refused(read: Any) -> None:
    bomb = b'<!DOCTYPE smses [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><smses><sms body="&b;"/></smses>'
    with pytest.raises(UnreadableArchive, match="declares XML entities"):
        read(bomb)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (document(root="calls"), "backup of calls"),
        (document(root="html"), "root element is 'html'"),
        (b"", "no XML of SMS Backup"),
        (b"id,text\n1,hello\n", "no XML of SMS Backup"),
    ],
)
def test_other_files_are_refused(read: Any, content: bytes, message: str) -> None:
    with pytest.raises(UnreadableArchive, match=message):
        read(content)


def test_another_column_can_hold_the_texts(read: Any) -> None:
    content = document(b'<sms body="b" subject="s"/>', b'<sms body="b"/>')
    reader = read(content, text_column="subject")
    assert reader.roles.text == "subject"
    assert [(row.text, row.problem) for row in reader.rows()] == [("s", None), (None, "the message has no text")]
    with pytest.raises(UnreadableArchive, match="no column 'nothing'"):
        read(content, text_column="nothing")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_repaired_too(read: Any, encoding: str) -> None:
    content = '<?xml version="1.0" encoding="UTF-16"?>' + document(sms("tea &#55357;&#56832;"), sms("é")).decode()
    assert [(row.text, row.problem) for row in read(content.encode(encoding)).rows()] == [("tea 😀", None), ("é", None)]


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (b"<a>" * 101 + b"</a>" * 101, "deeper than 100 levels"),
        (b"".join(b"<a%d/>" % number for number in range(1_100)), "1,000 different elements"),
        (b"<mms " + b" ".join(b'a%d="1"' % number for number in range(1_100)) + b"/>", "1,000 different attributes"),
    ],
)
def test_what_would_fill_the_memory_is_refused(read: Any, inside: bytes, message: str) -> None:
    with pytest.raises(UnreadableArchive, match=message):
        read(document(sms("tea"), inside))


def test_texts_of_a_message_without_end_are_kept_to_the_limit(read: Any) -> None:
    parts = b'<part ct="text/plain" text="%s"/>' % (b"x" * 1_000) * 1_500
    reader = read(document(b"<mms><parts>" + parts + b"</parts></mms>", sms("tea")))
    assert [(row.text, row.problem) for row in reader.rows()] == [
        (None, "the text is longer than 1,000,000 characters"),
        ("tea", None),
    ]


@pytest.mark.parametrize("encoding", [b"klingon", b"shift_jis"])
def test_an_encoding_that_the_parser_does_not_know_is_refused(read: Any, encoding: bytes) -> None:
    with pytest.raises(UnreadableArchive, match="encoding of texts that is not known"):
        read(b'<?xml version="1.0" encoding="' + encoding + b'"?>' + document(sms("tea")))


def mms(number: int, inside: str = "") -> bytes:
    part = f'<part seq="0" ct="text/plain" text="text {number}"/>{inside}'
    return f'<mms date="1"><parts>{part}</parts><addrs><addr address="5" type="137"/></addrs></mms>\n'.encode()


#: Messages that cannot be read, each for another reason.
BROKEN = {
    "a quote is not closed": b'<sms address="1" body="text date="1" />\n',
    "the last quote is not closed": b'<sms address="1" body="text />\n',
    "an ampersand": b'<sms address="1" body="Tom & Mia" />\n',
    "an ampersand without spaces": b'<sms address="1" body="a&b" />\n',
    "an angle bracket": b'<sms address="1" body="love <3" />\n',
    "an entity that is none": b'<sms address="1" body="a&nbsp;b" />\n',
    "a reference that is none": b'<sms address="1" body="a&#xZZ;b" />\n',
    "an attribute twice": b'<sms address="1" address="1" body="a" />\n',
    "no quotes": b'<sms address=1 body="a" />\n',
    "no end of the tag": b'<sms address="1" body="a"\n',
    "no value": b'<sms address body="a"/>\n',
    "quotes inside": b'<sms address="1" body="say "hi" now"/>\n',
    "no space": b'<sms address="1"body="a" />\n',
    "an ampersand in a part": mms(2, '<part text="a & b"/>'),
    "a part without an end": mms(2, '<part text="a">'),
    "an mms without an end": b'<mms date="1"><parts><part seq="0" ct="text/plain" text="text 2"/>\n',
    "a broken mms": b'<mms date="1" sub="a & b"><parts><part ct="text/plain" text="t"/></parts></mms>\n',
    "ends in the wrong order": b"<mms><parts></mms></parts>\n",
}
#: Messages whose text is whole though something is wrong with them.
WHOLE = {"no end": b'<sms body="text 2">\n', "another end": b'<sms body="text 2"></mms>\n'}
#: What is broken between two messages.
BETWEEN = [b"a & b\n", b"</sms>\n", b'<part text="x">\n', b"&nbsp;", b"<!-- -- x -->\n", b"<thread>\n", b"]]>"]


@pytest.mark.parametrize("chunk", [16, 61, 1_000, 1 << 18])
@pytest.mark.parametrize("reason", BROKEN)
def test_a_broken_message_is_one_row_and_the_next_one_is_read(
    read: Any, monkeypatch: pytest.MonkeyPatch, reason: str, chunk: int
) -> None:
    monkeypatch.setattr(backup_xml, "CHUNK_BYTES", chunk)
    broken = BROKEN[reason]
    for elements, texts in (
        ([sms("1"), broken, sms("3")], ["1", None, "3"]),
        ([broken, mms(1), sms("é")], [None, "text 1", "é"]),
        ([sms("1"), mms(2), broken], ["1", "text 2", None]),
        ([broken, broken, sms("1"), broken], [None, None, "1", None]),
    ):
        reader = read(f'<smses count="{len(elements)}">\n'.encode() + b"".join(elements) + b"</smses>")
        rows = list(reader.rows())
        assert [row.text for row in rows] == texts
        assert told(reader.notes) == []
        assert all(row.problem is None or row.problem.startswith("the XML is broken ") for row in rows)


@pytest.mark.parametrize("reason", WHOLE)
@pytest.mark.parametrize("last", [sms("3"), mms(3), b""])
def test_a_message_whose_text_is_whole_is_read_though_its_end_is_missing(read: Any, reason: str, last: bytes) -> None:
    rows = list(read(document(sms("1"), WHOLE[reason], last)).rows())
    assert [row.text for row in rows][:2] == ["1", "text 2"]
    assert len(rows) == 2 + bool(last)
    assert all(row.problem is None for row in rows)


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("last", [sms("3"), mms(3)])
def test_what_is_broken_between_messages_is_noted_and_no_row(read: Any, between: bytes, last: bytes) -> None:
    reader = read(document(sms("1"), between, last, sms("4")))
    rows = list(reader.rows())
    assert len(rows) == 3
    assert [row.problem for row in rows] == [None] * 3


def test_many_messages_without_an_end(read: Any) -> None:
    rows = list(read(document(*(f'<sms body="{at}">'.encode() for at in range(2_000)))).rows())
    assert [row.text for row in rows] == [str(at) for at in range(2_000)]


def test_lines_are_counted_over_all_that_is_broken(read: Any) -> None:
    problems = [row.problem for row in read(document(b"\n\n", BROKEN["no quotes"], b"\n", BROKEN["no value"])).rows()]
    assert "at line 3 " in str(problems[0])
    assert "at line 5 " in str(problems[1])


def test_files_one_behind_the_other(read: Any) -> None:
    one = b"<?xml version='1.0'?>\n" + document(sms("one"))
    assert [row.text for row in read(one + b"\n" + one).rows()] == ["one", "one"]


DECLARATION = b"<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\n"


@pytest.mark.parametrize(
    "before", [b"\n", b"\r\n \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n", b"\xef\xbb\xbf\xef\xbb\xbf", b"\x0c\n"]
)
@pytest.mark.parametrize(
    "comment", [b"", b"<!-- of <smses> -->\n", b"<!DOCTYPE smses>\n", b"<?xml-stylesheet href='a'?>"]
)
def test_what_stands_before_the_document_is_no_part_of_it(read: Any, before: bytes, comment: bytes) -> None:
    content = before + DECLARATION + comment + document(sms("Dîner? &#55357;&#56836;"))
    assert [row.text for row in read(content).rows()] == ["Dîner? 😄"]


def test_a_declaration_behind_a_comment(read: Any) -> None:
    rows = list(read(b"<!-- made by x -->\n" + DECLARATION + document(sms("one"), BROKEN["no quotes"])).rows())
    assert [row.text for row in rows] == ["one", None]
    assert "at line 4 " in str(rows[1].problem)


@pytest.mark.parametrize("declared", ["UTF-16", "utf-8", "us-ascii", "ISO-8859-1", "UCS-2"])
def test_a_declaration_of_another_encoding_than_that_of_the_bytes(read: Any, declared: str) -> None:
    text = f"<?xml version='1.0' encoding='{declared}'?>" + document(sms("Zoë, naïve")).decode()
    assert [row.text for row in read(text.encode()).rows()] == ["Zoë, naïve"]
    for codec in ("utf-16", "utf-32"):
        assert [row.text for row in read(text.encode(codec)).rows()] == ["Zoë, naïve"]


def test_zeros_in_the_midst_of_a_backup_are_left_out(read: Any, input_file: Any) -> None:
    content = b"<?xml version='1.0'?>\n" + document(sms("one"), bytes(4_096), sms("two"))
    assert format_name(input_file(content)) == "backup-xml"
    assert [row.text for row in read(content).rows()] == ["one", "two"]
