"""The reader of JSON Lines: keys as columns, their types, and lines that are no objects."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from sluice.backfill.formats import json_array, keys
from sluice.backfill.formats.base import MAX_FIELD_CHARS
from sluice.backfill.formats.jsonl import JsonReader, open_reader
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.row import Row
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import FIXTURES, input_file
from tests.unit.backfill.wording import refused

Open = Callable[..., JsonReader]


@pytest.fixture
def reader(tmp_path: Path) -> Open:
    def open_it(data: bytes | str | Path, **options: Any) -> JsonReader:
        content = data.encode() if isinstance(data, str) else data
        return open_reader(input_file(tmp_path, content), ReadOptions(**options))

    return open_it


def types(found: JsonReader) -> dict[str, str]:
    return {column.name: str(column.type) for column in found.columns}


def test_keys_are_columns_in_order_of_first_appearance(reader: Open) -> None:
    found = reader('{"id":1,"text":"a"}\n{"x":true,"text":"b"}\n')
    assert types(found) == {"id": "int64", "text": "string", "x": "bool"}
    assert list(found.rows()) == [Row([1, "a", None], "a"), Row([None, "b", True], "b")]
    assert list(found.rows()) == list(found.rows())


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None, -(2**63)], "int64"),
        ([1, 2**63], "string"),
        ([1, 2.5], "double"),
        ([True, False], "bool"),
        ([True, 1], "string"),
        (["a", 1], "string"),
        ([[1], [2]], "string"),
        ([{"a": 1}], "string"),
        ([None], "string"),
    ],
)
def test_a_column_has_a_type_where_all_its_values_do(reader: Open, values: list[Any], kind: str) -> None:
    found = reader(b"\n".join(orjson.dumps({"text": "a", "x": value}) for value in values))
    assert types(found)["x"] == kind
    assert [row.values[1] for row in found.rows()] == values


def test_integers_among_floating_point_numbers_become_such(reader: Open) -> None:
    values = [row.values[1] for row in reader('{"text":"a","x":1}\n{"text":"b","x":0.5}\n').rows()]
    assert values == [1.0, 0.5]
    assert pa.array(values, pa.float64()).to_pylist() == values
    assert type(values[0]) is float


def test_lines_that_are_no_objects_are_problems_that_do_not_repeat_them(reader: Open) -> None:
    rows = list(reader('{"text":"a"}\nsecret\n["secret"]\n\n{"text":"b"\n{"text":"c"}\n').rows())
    assert [row.problem for row in rows] == [
        None,
        "line 2 is no valid JSON object",
        "line 3 is no valid JSON object",
        "line 5 is no valid JSON object",
        None,
    ]
    assert rows[1] == Row([None], None, "line 2 is no valid JSON object")


def test_a_text_that_is_missing_or_no_string_is_a_problem(reader: Open) -> None:
    rows = list(reader('{"text":"a"}\n{"text":7}\n{"text":null}\n{"id":1}\n').rows())
    assert [row.problem for row in rows] == [
        None,
        "the text, 'text', is no string",
        "the text, 'text', is missing",
        "the text, 'text', is missing",
    ]
    assert [row.values[0] for row in rows] == ["a", 7, None, None]


def test_broken_characters_spoil_their_own_value_only(reader: Open) -> None:
    rows = list(reader('{"id":1,"text":"Grüße"}\n'.encode() + b'{"id":2,"text":"caf\xe9"}\n').rows())
    assert [row.text for row in rows] == ["Grüße", "caf\udce9"]
    assert list(reader('{"text":"\\ud83d"}\n').rows()) == [Row(["\ud83d"], "\ud83d")]


def test_a_surrogate_pair_is_one_character(reader: Open) -> None:
    assert [row.text for row in reader('{"text":"\\ud83d\\ude00"}\n').rows()] == ["😀"]


def test_a_key_that_is_not_unicode_makes_no_column(reader: Open) -> None:
    found = reader('{"text":"a"}\n{"\\ud83d":1,"text":"b"}\n')
    assert types(found) == {"text": "string"}
    assert [row.problem for row in found.rows()] == [None, "line 2 is no valid JSON object"]


def test_an_over_long_line_is_a_problem(reader: Open) -> None:
    long = '{"text":"' + "x" * (3 * MAX_FIELD_CHARS) + '"}'
    rows = list(reader('{"text":"a"}\n' + long + '\n{"text":"b"}\n').rows())
    assert [row.text for row in rows] == ["a", None, "b"]
    assert rows[1].problem == "line 2 is longer than 1,000,000 characters"


def test_deeply_nested_json_is_a_problem(reader: Open) -> None:
    rows = list(reader('{"text":"a"}\n{"text":' + "[" * 100_000 + "\n").rows())
    assert rows[1].problem == "line 2 is no valid JSON object"


def test_too_many_keys(reader: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MAX_SHAPES", 10)
    lines = "\n".join(f'{{"text":"a","k{at}":1}}' for at in range(keys.MAX_KEYS))
    with pytest.raises(UnreadableArchive, match="more than 1,000 different keys"):
        reader(lines)
    assert len(types(reader(lines.rpartition("\n")[0]))) == keys.MAX_KEYS


def test_an_array_of_objects_is_read_too(reader: Open) -> None:
    rows = list(reader(' [\n {"text": "a"},\n 5,\n {"text": "b"}\n]\n').rows())
    assert [row.text for row in rows] == ["a", None, "b"]
    assert rows[1].problem == "element 2 is no JSON object"


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        ('[{"id":1,"text":"a"}', ["a", None]),
        ('[{"id":1,"text":"a"},', ["a", None]),
        ('[{"id":1,"text":"a"},{"id":2,"te', ["a", None]),
        ('[{"id":1,"text":"a"},{"id":2,"text":"b" "c"},{"id":3,"text":"d"}]', ["a", None, "d"]),
        ('[{"id":1,"text":"a"},{"id":2,"text":"say "hi" now"},{"id":3,"text":"d"}]', ["a", None, "d"]),
        ('[{"id":1,"text":"a"},{"id":2,"text":"b\n"},{"id":3,"text":"d"}]', ["a", None, "d"]),
        ('[{"id":1,"text":"a"},{"id":2,"text":"b},{"id":3,"text":"d"},{"id":4,"text":"e"}]', ["a", None, "d", "e"]),
        ('[{"id":1,"text":"a"} {"id":2,"text":"b"},{"id":3,"text":"d"}]', ["a", None, "d"]),
        ('[{"id":1,"text":"a"}],{"id":3,"text":"d"}]', ["a", None, "d"]),
        ('[{"id":1,"text":"a"},{"id":2,"text":"b"},]', ["a", "b"]),
        ('[{"id":,"text":"a"},{"id":2,"text":"b"}]', [None, "b"]),
        ('[{"id":1,"text":"a"},{"id":2,"text":"' + "[" * 50 + '"},7,{"\\ud83d":1},{"id":3,"text":"d"}]', None),
    ],
)
@pytest.mark.parametrize("chunk", [7, 1 << 18])
def test_a_damaged_element_of_an_array_is_one_row(
    reader: Open, monkeypatch: pytest.MonkeyPatch, data: str, texts: list[str | None] | None, chunk: int
) -> None:
    monkeypatch.setattr(json_array, "CHUNK_CHARS", chunk)
    rows = list(reader(data).rows())
    assert [row.text for row in rows] == (["a", "[" * 50, None, None, "d"] if texts is None else texts)
    assert all((row.problem or "").startswith("element ") for row in rows if row.text is None)


def test_a_long_array_takes_no_memory(reader: Open, tmp_path: Path) -> None:
    """Of pictures too: what is held is one element, however many there are."""
    picture = "QUJD" * 250_000
    elements = (f'{{"id":{number},"data":"{picture}","text":"hello {number}"}}' for number in range(80))
    path = tmp_path / "long.json"
    with path.open("w") as file:
        file.write("[")
        file.writelines(f"{',' if number else ''}{element}" for number, element in enumerate(elements))
        file.write("]")
    assert path.stat().st_size > 64 << 20
    found = reader(path)
    tracemalloc.start()
    try:
        assert [row.text for row in found.rows()] == [f"hello {number}" for number in range(80)]
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def test_an_element_that_is_too_long_is_a_row(reader: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "MAX_ELEMENT_CHARS", 100)
    monkeypatch.setattr(json_array, "CHUNK_CHARS", 10)
    rows = list(reader(f'[{{"text":"a"}},{{"text":"{"x" * 10_000}"}},{{"text":"b"}}]').rows())
    assert [row.text for row in rows] == ["a", None, "b"]
    assert rows[1].problem == "element 2 of the JSON array has more than 100 characters"


@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_in_an_object_is_read(reader: Open, indent: int | None) -> None:
    """As QKSMS and Telegram have it."""
    inside = [{"id": 1, "text": "a"}, {"id": 2, "text": ["see ", {"type": "link", "text": "http://x"}, "!"]}]
    people = [{"name": "Mia"}, {"name": "Tom ]}"}]
    flat = {"guild": {"id": "1", "name": "{"}, "participants": people, "none": [], "empty": {}}
    around = {"name": 'x "y"', "count": 2, "last": None, **flat, "messages": inside, "more": [{"id": 3, "text": "no"}]}
    assert [row.text for row in reader(json.dumps(around, indent=indent)).rows()] == ["a", "see http://x!"]


def test_lines_with_arrays_in_them_are_lines(reader: Open) -> None:
    line = '{"text":"a","messages":[{"role":"user","text":"x"}]}\n'
    assert [row.text for row in reader(2 * line).rows()] == ["a", "a"]


@pytest.mark.parametrize("text", [[], [1], ["a", {"b": 1}], {"text": "a"}])
def test_a_list_that_is_no_text_is_a_problem(reader: Open, text: Any) -> None:
    rows = list(reader(json.dumps([{"text": "a"}, {"text": text}])).rows())
    assert [row.problem for row in rows] == [None, "the text, 'text', is no string"]


@pytest.mark.parametrize("data", ["", "\n", "{}\n", "[]", "nonsense\n"])
def test_nothing_to_read(reader: Open, data: str) -> None:
    with pytest.raises(UnreadableArchive, match="no JSON object with a key"):
        reader(data)


def test_no_text_among_the_keys(reader: Open) -> None:
    with refused(UnreadableArchive, "'a' with --text-column"):
        reader('{"a":"b"}')


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_other_encodings_of_unicode(reader: Open, encoding: str) -> None:
    for data in ('{"text":"สวัสดี"}\n{"text":"b"}\n', '[{"text":"สวัสดี"},{"text":"b"}]'):
        assert [row.text for row in reader(data.encode(encoding)).rows()] == ["สวัสดี", "b"]


def test_fixture(reader: Open) -> None:
    found = reader(FIXTURES / "messages.jsonl")
    assert types(found) == {
        "id": "int64",
        "sender": "string",
        "timestamp": "int64",
        "text": "string",
        "tags": "string",
    }
    assert (found.roles.text, found.roles.sender, found.roles.time) == ("text", "sender", "timestamp")
    rows = list(found.rows())
    assert [row.text for row in rows] == ["See you at six 🙂", "Your code is 123456", None, None]
    assert rows[1].values == [2, "BANK", 1762333260, "Your code is 123456", ["otp"]]
    assert [row.problem for row in rows[2:]] == ["the text, 'text', is missing", "line 5 is no valid JSON object"]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), SCALARS | st.lists(st.integers(0, 9), max_size=3), max_size=4)


@settings(max_examples=100, deadline=None)
@given(objects=st.lists(OBJECTS, min_size=1, max_size=8))
def test_typed_columns_hold_values_of_their_type(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, Any]]
) -> None:
    objects = [{"text": "a", **found} for found in objects]
    data = b"\n".join(map(orjson.dumps, objects))
    found = open_reader(input_file(tmp_path_factory.mktemp("jsonl"), data), ReadOptions())
    rows = list(found.rows())
    for index, column in enumerate(found.columns):
        values = [row.values[index] for row in rows]
        assert values == [expected.get(column.name) for expected in objects]
        if column.type != pa.string():
            assert pa.array(values, column.type).to_pylist() == values


def test_half_an_emoji_in_an_array_spoils_its_own_row_only(reader: Open) -> None:
    found = reader('[{"text":"a\\ud83d"},{"text":"b"}]')
    assert [row.text for row in found.rows()] == ["a\ud83d", "b"]


def test_bytes_that_are_no_utf_8_in_an_array_spoil_their_own_row_only(reader: Open) -> None:
    found = reader('[{"text":"ä"},{"text":"a@"},{"text":"ö"}]'.encode().replace(b"@", b"\xff"))
    assert [row.text for row in found.rows()] == ["ä", "a\udcff", "ö"]


@pytest.mark.parametrize("broken", ['{"text":"a",', '{"text" "a"}', "[" * 100_000, '"'])
def test_an_array_of_which_nothing_can_be_made_is_refused(reader: Open, broken: str) -> None:
    with pytest.raises(UnreadableArchive, match="broken JSON array"):
        reader(f"[{broken}]")


def test_an_integer_that_a_real_number_cannot_hold_stays_as_it_is(reader: Open) -> None:
    found = reader('{"text":"a","n":9007199254740993}\n{"text":"b","n":0.5}\n')
    assert types(found)["n"] == "string"
    assert [row.values[1] for row in found.rows()] == [9007199254740993, 0.5]


@pytest.mark.parametrize("data", ['{"text":"a","n":%d,"in":{"n":%d}}\n', '[{"text":"a","n":%d,"in":{"n":%d}}]'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("number", [2**64, -(2**64), 89_490_200_001_234_567_890, 10**40])
def test_an_integer_beyond_64_bits_keeps_its_digits(reader: Open, data: str, encoding: str, number: int) -> None:
    found = reader((data % (number, number)).encode(encoding))
    assert types(found)["n"] == "string"
    assert [row.values for row in found.rows()] == [["a", number, {"n": number}]]


def test_what_an_integer_may_not_have_digits_for_is_a_number_still(reader: Open) -> None:
    (row,) = reader('{"text":"a","n":1%s}' % ("0" * 300)).rows()
    assert row.text == "a"
    (row,) = reader('{"text":"a","n":1.%s}' % ("0" * 5000)).rows()
    assert row.values == ["a", 1.0]
