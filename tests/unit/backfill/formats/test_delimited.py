"""The reader of delimited files: dialects, encodings, columns, and rows that cannot be read."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from sluice.backfill.formats import delimited
from sluice.backfill.formats.base import MAX_FIELD_CHARS
from sluice.backfill.formats.delimited import MAX_LINE_CHARS, DelimitedReader, open_reader
from sluice.backfill.formats.dialect import SAMPLE_ROWS
from sluice.backfill.formats.encoding import SAMPLE_BYTES
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.row import Row
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import FIXTURES, input_file
from tests.unit.backfill.wording import refused, told

Open = Callable[..., DelimitedReader]


@pytest.fixture
def reader(tmp_path: Path) -> Open:
    def open_it(data: bytes | str | Path, **options: Any) -> DelimitedReader:
        content = data.encode() if isinstance(data, str) else data
        return open_reader(input_file(tmp_path, content), ReadOptions(**options))

    return open_it


@pytest.fixture
def read(reader: Open) -> Callable[..., list[Row]]:
    return lambda data, **options: list(reader(data, **options).rows())


Read = Callable[..., list[Row]]


def names(found: DelimitedReader) -> list[str]:
    return [column.name for column in found.columns]


def test_rows_with_quotes_commas_and_line_breaks(read: Read) -> None:
    rows = read('id,text\n1,"a, ""b""\nc"\n2,สวัสดี\n')
    assert rows == [Row(["1", 'a, "b"\nc'], 'a, "b"\nc'), Row(["2", "สวัสดี"], "สวัสดี")]


def test_rows_can_be_read_again(reader: Open) -> None:
    found = reader("text\none\ntwo\n")
    assert list(found.rows()) == list(found.rows())


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_endings(read: Read, end: str) -> None:
    assert [row.text for row in read(end.join(["text", "one", "two"]))] == ["one", "two"]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_the_delimiter_is_found_even_if_texts_hold_the_others(read: Read, delimiter: str) -> None:
    texts = ["one, two; three", "a | b", "plain", "x\ty, z"]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([["id", "text"], *enumerate(texts)])
    assert [row.text for row in read(out.getvalue())] == texts


def test_a_single_column_of_unquoted_texts_with_commas_is_one_column(read: Read) -> None:
    assert [row.text for row in read("text\nhello, you\nyes; no\nfine\n")] == ["hello, you", "yes; no", "fine"]


def test_single_quotes_are_found(read: Read) -> None:
    rows = read("id,text\n1,'one, two'\n2,'it''s'\n3,'three, four, five'\n")
    assert [row.text for row in rows] == ["one, two", "it's", "three, four, five"]


def test_apostrophes_are_no_quotes(read: Read) -> None:
    assert [row.text for row in read("id,text\n1,'tis fine\n2,don't\n")] == ["'tis fine", "don't"]


def test_a_file_that_quotes_nothing_is_read_so(read: Read) -> None:
    rows = read('id\ttext\n1\t"Hello\n2\tsaid "so" twice\n3\tlast\n')
    assert [row.text for row in rows] == ['"Hello', 'said "so" twice', "last"]


def test_spaces_after_delimiters_belong_to_no_field(reader: Open) -> None:
    found = reader('id, text\n1, "one, two"\n')
    assert names(found) == ["id", "text"]
    assert [row.text for row in found.rows()] == ["one, two"]


def test_the_given_delimiter_is_taken(reader: Open) -> None:
    assert names(reader("a;b,text\n1;2,x\n", delimiter=",")) == ["a;b", "text"]
    assert names(reader("a:text\n1:x\n", delimiter=":")) == ["a", "text"]
    assert names(reader("a\ttext\n1\tx\n", delimiter="tab")) == ["a", "text"]


def test_a_delimiter_of_several_characters_is_refused(reader: Open) -> None:
    with refused(UnreadableArchive, "--delimiter"):
        reader("a::text\n1::x\n", delimiter="::")


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "cp1252", "cp1251", "gb18030", "shift_jis"],
)
def test_the_encoding_is_found(reader: Open, encoding: str) -> None:
    texts = {
        "cp1252": "Grüße aus Köln, das kostet 5 € für zwei Stück",
        "cp1251": "Ваш заказ готов, заберите его сегодня вечером",
        "gb18030": "您的包裹已经到达，请今天晚上来取，谢谢您的支持",
        "shift_jis": "お荷物が届きました。本日中に受け取りに来てください。",
    }
    text = texts.get(encoding, "สวัสดี, grüße 🙂")
    out = io.StringIO()
    csv.writer(out).writerows([["id", "text"], *([at, text] for at in range(20))])
    found = reader(out.getvalue().encode(encoding))
    assert names(found) == ["id", "text"]
    assert {row.text for row in found.rows()} == {text}
    assert bool(told(found.notes)) is (encoding not in ("utf-8", "utf-8-sig"))


def test_the_given_encoding_is_taken(read: Read) -> None:
    assert read("text\nЖ\n".encode("koi8_r"), encoding="koi8-r")[0].text == "Ж"
    assert read("text\nЖ\n".encode("utf-16"), encoding="utf-16-le")[0].text == "Ж"
    assert read(b"\xef\xbb\xbftext\nhi\n", encoding="utf-8")[0].text == "hi"


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13", "undefined", "idna", "a\0b"])
def test_an_encoding_that_is_none_is_refused(reader: Open, encoding: str) -> None:
    with refused(UnreadableArchive, "--encoding"):
        reader("text\na\n", encoding=encoding)


def test_bytes_that_are_not_utf_8_survive(read: Read) -> None:
    rows = read("id,text\n1,Grüße, schöne\n".replace(", ", " ").encode() * 1 + b"2,caf\xe9\n")
    assert rows[1].text is not None
    assert rows[1].text.encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_bytes_that_another_encoding_does_not_know_are_a_problem(read: Read) -> None:
    rows = read(b"text\n\x81\x8d\nfine\n", encoding="cp1252")
    assert rows[0].problem == "the text holds bytes that its encoding does not know"
    assert rows[1] == Row(["fine"], "fine")


@pytest.mark.parametrize("name", ["text", "message", "body", "sms", "content", "Message", "BODY"])
def test_the_text_column_is_found(reader: Open, name: str) -> None:
    assert reader(f"id,{name},x\n1,hello,2\n").roles.text == name


def test_text_is_preferred_to_the_other_names(reader: Open) -> None:
    assert reader("body,text\na,b\n").roles.text == "text"


def test_sender_and_time_are_found_or_named(reader: Open) -> None:
    data = "originator,received_at,text,who\na,b,c,d\n"
    assert reader(data).roles.sender == "originator"
    assert reader(data).roles.time == "received_at"
    assert reader(data, sender_column="who").roles.sender == "who"


def test_a_column_of_names_holds_people(reader: Open) -> None:
    data = "text,sender,Contact_Name\nhello,SHOP,Kim\n"
    assert not reader(data).roles.people
    assert reader(data, sender_column="Contact_Name").roles.people


def test_the_text_column_is_named(read: Read) -> None:
    assert read("text,Nachricht\na,b\n", text_column="Nachricht")[0].text == "b"


def test_a_number_is_a_position_unless_a_column_is_called_so(read: Read) -> None:
    assert read("x,y\na,b\n", text_column="2")[0].text == "b"
    assert read("2,y\na,b\n", text_column="2")[0].text == "a"


def test_a_position_in_a_file_without_a_header_would_lose_its_first_row(reader: Open) -> None:
    with pytest.raises(UnreadableArchive, match="no header") as caught:
        reader("1,+447700900123,call me\n2,+447700900124,later\n", text_column="3")
    assert "call me" not in str(caught.value)


def test_a_column_that_is_not_there(reader: Open) -> None:
    with refused(UnreadableArchive, r"no column 'nope'; its columns are 'a', 'b' \(--text-column"):
        reader("a,b\n1,2\n", text_column="nope")


def test_no_known_column_names_the_option(reader: Open) -> None:
    with refused(UnreadableArchive, "'a', 'b' with --text-column"):
        reader("a,b\n1,2\n")


def test_what_may_be_a_message_in_the_first_line_is_not_shown(reader: Open) -> None:
    with pytest.raises(UnreadableArchive, match="column 2") as caught:
        reader("x,my secret words to you\ny,z\n")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("data", ["", "\n\n", " , \n1,2\n"])
def test_no_header(reader: Open, data: str) -> None:
    with pytest.raises(UnreadableArchive, match="no header"):
        reader(data)


def test_columns_that_share_a_name_are_told_apart(reader: Open) -> None:
    found = reader("text,,text\na,b,c\n")
    assert names(found) == ["text", "column_2", "text_2"]
    assert list(found.rows()) == [Row(["a", "b", "c"], "a")]


@pytest.mark.parametrize("name", ["c{}", "c", ""])
def test_a_header_of_a_hundred_thousand_columns(reader: Open, name: str) -> None:
    header = ",".join(["text", *(name.format(at) for at in range(100_000))])
    found = reader(f"{header}\nhello{',v' * 100_000}\n")
    assert len(set(names(found))) == 100_001
    assert [(row.text, len(row.values)) for row in found.rows()] == [("hello", 100_001)]


def test_a_header_with_stray_quotes_is_still_the_header(reader: Open) -> None:
    found = reader('id,"text" here,text\n1,a,b\n')
    assert names(found) == ["id", '"text" here', "text"]
    assert [row.text for row in found.rows()] == ["b"]


def test_only_a_header(read: Read) -> None:
    assert read("text\n") == []


def test_too_many_fields_are_a_problem_because_the_text_may_be_cut(read: Read) -> None:
    rows = read("id,text\n1,hello, world\n2,fine\n3,good\n")
    assert rows[0] == Row(["1", "hello"], None, "line 2: 3 fields, but the header names 2")
    assert rows[1].text == "fine"


def test_too_few_fields(read: Read) -> None:
    rows = read("id,text,note\n1\n2,fine\n")
    assert rows[0] == Row(["1", "", ""], None, "line 2: the row ends before its text column")
    assert rows[1] == Row(["2", "fine", ""], "fine")


def test_empty_lines_are_no_rows(read: Read) -> None:
    assert len(read("text\n\na\n\n\nb\n")) == 2


def test_an_unclosed_quote_does_not_stop_the_rest(read: Read) -> None:
    filler = "x" * 1_000 + "\n"
    rows = read('id,text\n1,"be, fore"\n2,"' + filler * (MAX_FIELD_CHARS // 1_000 + 1) + "3,after\n")
    assert rows[0].text == "be, fore"
    assert rows[1].problem == "line 3: a quote is not closed"
    assert rows[-1].text == "after"
    assert len(rows) == MAX_FIELD_CHARS // 1_000 + 3


#: A file that surely has quotes: nothing else is looked at for that.
QUOTED = "id,text\n" + '0,"a, b"\n' * SAMPLE_ROWS


@pytest.mark.parametrize("after", ["", "7,\n", '7,"quoted"\n', '7,say "hi\n', '7,"over\nlines"\n8,x\n'])
@pytest.mark.parametrize("between", [0, 1, 50])
def test_lines_behind_a_stray_quote_are_rows_of_their_own(read: Read, after: str, between: int) -> None:
    rest = "".join(f"{number},text {number}\n" for number in range(between)) + after
    bad, *others = read(f'{QUOTED}1,"stray\n{rest}')[SAMPLE_ROWS:]
    assert bad == Row(["1", '"stray'], None, f"line {SAMPLE_ROWS + 2}: a quote is not closed")
    assert [row.values for row in others] == [row.values for row in read(QUOTED + rest)[SAMPLE_ROWS:]]
    assert [row.problem for row in others] == [None] * len(others)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spaces_behind_a_quote_are_let_pass_in_a_row_over_several_lines_too(read: Read, end: str) -> None:
    rows = read((QUOTED + '1,"one\nline" \n2,two\n').replace("\n", end))[SAMPLE_ROWS:]
    assert [row.text for row in rows] == [f"one{end}line ", "two"]


def test_quotes_at_the_beginning_and_the_end_of_lines_of_a_file_without_quotes_join_no_rows(read: Read) -> None:
    plain = "".join(f"{number}\ttext {number}\t+49\n" for number in range(SAMPLE_BYTES // 15))
    start = plain.count("\n")
    rest = '1\t"stray\t+49\n2\ttwo\t+49\n3\tsaid "\t+49\n4\t"over\nlines"\t+49\n'
    rows = read("id\ttext\tfrom\n" + plain + rest)[start:]
    assert [row.text for row in rows] == [None, "two", 'said "', "over\nlines"]
    assert rows[0].values == ["1", '"stray', "+49"]


@pytest.mark.parametrize("line", ['x","y\n', '1,"\n', '"\n', '1,"a""\n'])
def test_quotes_that_open_in_every_line_take_bounded_work_and_lose_no_line(
    read: Read, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(delimited, "MAX_LINE_CHARS", 10_000)
    count = 50_000
    rows = read(QUOTED + line * count)[SAMPLE_ROWS:]
    told = sum(int(found[1].replace(",", "")) for row in rows if (found := BEHIND.search(row.problem or "")))
    lines = sum(field.count("\n") for row in rows for field in row.values) + len(rows) + told
    assert lines == count


BEHIND = re.compile("and ([0-9,]+) lines after it")


def test_a_quote_that_is_never_closed_is_a_character_where_nothing_is_quoted(read: Read) -> None:
    rows = read('id,text\n1,before\n2,"so\n' + "3,after\n" * 20_000)
    assert rows[1].text == '"so'
    assert len(rows) == 20_002


@pytest.mark.parametrize("start", ["", '"', '1,"'])
def test_a_line_without_an_end_is_one_bad_row(read: Read, start: str) -> None:
    rows = read("id,text\n1,before\n" + start + "x" * (2 * MAX_LINE_CHARS + 7) + "\n2,after\n")
    assert [row.text for row in rows] == ["before", None, "after"]
    assert "field larger than field limit" in (rows[1].problem or "")


def test_a_line_of_just_the_greatest_length_is_no_bad_row(read: Read) -> None:
    last = "x" * MAX_FIELD_CHARS
    width = MAX_LINE_CHARS // MAX_FIELD_CHARS
    fields = [last[:-1]] * width
    header = ",".join(["text", *(f"c{at}" for at in range(1, width))])
    rows = read(f"{header}\n{','.join(fields)}\n{','.join(fields)}\n")
    assert [row.problem for row in rows] == [None, None]
    assert rows[1].values == fields


def test_nul_bytes(read: Read) -> None:
    assert read(b"text\na\x00b\n")[0].text == "a\x00b"


def test_fixture_in_semicolons_and_cp1252(reader: Open) -> None:
    found = reader(FIXTURES / "semicolons_cp1252.csv", text_column="Nachricht", sender_column="Absender")
    rows = list(found.rows())
    assert names(found) == ["Nr", "Absender", "Datum", "Nachricht"]
    assert [row.text for row in rows] == [
        "Ihr Paket ist da; Gebühr 2,99 €",
        "Grüße aus Köln, bis später",
        'Er sagte "nein"',
    ]
    assert rows[1].values[1] == "Müller"
    assert len(told(found.notes)) == 2


def test_fixture_in_tabs_and_utf_16(reader: Open) -> None:
    found = reader(FIXTURES / "tabs_utf16.tsv")
    assert (found.roles.text, found.roles.sender, found.roles.time) == ("text", "from", "time")
    assert [row.text for row in found.rows()] == ["พบกันพรุ่งนี้ 🙂", "Your code is 123456"]


FIELDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\ufeff"), max_size=30)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(FIELDS, FIELDS, FIELDS), min_size=1, max_size=12),
    delimiter=st.sampled_from(",\t;|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str]],
    delimiter: str,
    encoding: str,
    end: str,
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "text", "note"), *rows])
    place = tmp_path_factory.mktemp("csv")
    found = open_reader(input_file(place, out.getvalue().encode(encoding)), ReadOptions())
    assert names(found) == ["id", "text", "note"]
    assert [tuple(row.values) for row in found.rows()] == rows
    assert [row.text for row in found.rows()] == [text for _, text, _ in rows]


@pytest.mark.parametrize("start", ["sep=;\r\n", "\ufeffSEP=;\n"])
def test_the_line_that_tells_spreadsheets_the_delimiter_is_no_header(reader: Open, start: str) -> None:
    found = reader(f"{start}id;text\r\n1;a, b\r\n2;c\r\n")
    assert names(found) == ["id", "text"]
    assert [row.text for row in found.rows()] == ["a, b", "c"]
    assert [row.text for row in found.rows()] == ["a, b", "c"]


def test_quotes_with_backslashes_before_them_are_found(reader: Open) -> None:
    found = reader('id,text\n1,"say \\"hi\\", now"\n2,"C:\\dir\\\\"\n3,x\n')
    assert [row.text for row in found.rows()] == ['say "hi", now', "C:\\dir\\", "x"]
    assert told(found.notes) == ["its fields are quoted with backslashes before quotes inside"]


def test_backslashes_in_a_file_that_doubles_quotes_are_backslashes(read: Read) -> None:
    assert [row.text for row in read('id,text\n1,"C:\\dir\\"\n2,"a ""b"" \\"\n')] == ["C:\\dir\\", 'a "b" \\']


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_lone_carriage_return_belongs_to_its_field_where_lines_end_otherwise(
    read: Read, delimiter: str, end: str, encoding: str
) -> None:
    rows = [
        ["id", "text", "date"],
        ["1", "Your parcel\rpay 1.99", "2026"],
        ["2", "see\r\ryou", "2027"],
        ["3", "x", "\ry"],
    ]
    found = read(end.join(delimiter.join(row) for row in rows).encode(encoding) + end.encode(encoding)[-2:] * 0)
    assert [list(row.values) for row in found] == rows[1:]
    assert [row.text for row in found] == [row[1] for row in rows[1:]]
    quoted = end.join(delimiter.join(f'"{field}"' for field in row) for row in [*rows, ["4", f"a{end}b\rc", "x"]])
    assert [list(row.values) for row in read(quoted.encode(encoding))] == [*rows[1:], ["4", f"a{end}b\rc", "x"]]


def test_rows_of_an_old_mac_behind_others_are_rows(read: Read) -> None:
    assert [row.text for row in read("id,text\n1,one\n2,two\r3,three\r4,four\n5,five\n")] == [
        "one",
        "two",
        "three",
        "four",
        "five",
    ]


def test_a_file_of_an_old_mac_may_have_other_line_ends_in_its_quotes(read: Read) -> None:
    rows = read('id,text\r1,"over\nlines"\r2,two\r3,"a\rb"\r')
    assert [row.text for row in rows] == ["over\nlines", "two", "a\rb"]


@pytest.mark.parametrize("char", ["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_other_characters_that_end_lines_elsewhere_are_characters(read: Read, char: str) -> None:
    assert [row.text for row in read(f"id,text\n1,a{char}b\n2,c\n")] == [f"a{char}b", "c"]


@pytest.mark.parametrize(
    "said",
    [
        '"sep=;"',
        "'sep=;'",
        'sep=";"',
        "sep=; ",
        "SEP=;",
        "Sep = ;",
        "sep=;;;;",
        '"sep=;",,',
        "\ufeffsep=;",
        '\ufeff"sep=;"',
        "\nsep=;",
        "sep=;\n",
        "#TYPE System.Management.Automation.PSCustomObject",
        "\ufeff#TYPE Selected.Microsoft.Messages",
    ],
)
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_the_line_that_tells_the_delimiter_as_programs_write_it(
    reader: Open, said: str, end: str, encoding: str
) -> None:
    content = f'{said}\nid;text\n1;"a; b"\n2;c, d\n'.replace("\n", end)
    found = reader(content.encode(encoding))
    assert names(found) == ["id", "text"]
    assert [row.text for row in found.rows()] == ["a; b", "c, d"]


@pytest.mark.parametrize(
    ("said", "delimiter"), [("sep=\t", "\t"), ("sep=\\t", "\t"), ("sep=tab", "\t"), ("sep=:", ":"), ("sep=^", "^")]
)
def test_the_line_may_tell_any_delimiter(reader: Open, said: str, delimiter: str) -> None:
    found = reader(f"{said}\nid{delimiter}text\n1{delimiter}a, b\n")
    assert names(found) == ["id", "text"]
    assert [row.text for row in found.rows()] == ["a, b"]


def test_a_day_is_rather_the_time_than_the_time_of_a_day(reader: Open) -> None:
    found = reader("Date,Time,Number,Message\n2024-01-02,10:00,+1,hello\n")
    assert (found.roles.text, found.roles.sender, found.roles.time) == ("Message", "Number", "Date")


HEADERLESS = [
    "ham\tGo until jurong point, crazy\nspam\tFree entry in a weekly comp\nham\tOk lor\n",
    "ham\tOk lor\nspam\tFree entry\nham\tFine\n",
    "Mia\tsee you at eight o'clock\nTom\tyes\n",
    "1\tOk\n2\tFine\n",
]


@pytest.mark.parametrize("content", HEADERLESS)
def test_a_table_whose_first_row_is_a_message_loses_none_in_silence(reader: Open, content: str) -> None:
    with pytest.raises(UnreadableArchive, match="seems to have no header") as caught:
        reader(content, text_column="2")
    assert content.split("\t")[1].partition("\n")[0] not in str(caught.value)


def test_a_position_is_noted_for_the_first_line_may_be_a_row(reader: Open) -> None:
    assert any(
        "first line is taken for the names" in note for note in told(reader("a\tb\n1\tOk\n", text_column="2").notes)
    )
    assert reader("a\tb\n1\tOk\n", text_column="b").notes == []
