"""The line between reading and writing: order, duplicates, bounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from sluice.backfill.answers import Answers
from sluice.backfill.line import MOST_BYTES, Chunk, Line
from sluice.backfill.row import Row
from sluice.tasks.wire.entry import failure
from tests.unit.backfill.fakes import FakeCarrier, entry_for


@pytest.fixture
def carrier() -> FakeCarrier:
    return FakeCarrier()


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[Answers]:
    store = Answers(tmp_path / "answers.sqlite")
    store.serve("fake", "1")
    yield store
    store.close()


@pytest.fixture
def line(carrier: FakeCarrier, answers: Answers) -> Line:
    return make_line(carrier, answers)


def make_line(carrier: FakeCarrier, answers: Answers, most: int = 100) -> Line:
    return Line(carrier, answers, most=most, max_text_chars=50, name=lambda number: f"e{number}")


def rows(*texts: str | None) -> list[Row]:
    return [Row([text], text) for text in texts]


def written(chunks: list[Chunk]) -> list[tuple[str | None, str]]:
    """Text and label (or error code) of every row that was let go."""
    found = []
    for chunk in chunks:
        for row, entry in zip(chunk.rows, chunk.entries, strict=True):
            assert entry is not None
            found.append((row.text, entry["label"] if "label" in entry else entry["error"]["code"]))
    return found


def expected(*texts: str) -> list[tuple[str, str]]:
    return [(text, entry_for(text)["label"]) for text in texts]


def test_rows_come_back_in_input_order(line: Line, carrier: FakeCarrier) -> None:
    carrier.hold = True
    line.add(rows(*"abcdefgh"), 1)
    line.add(rows(*"ijklmnop"), 2)
    carrier.let_go(1)
    line.receive(0)
    assert line.take() == []
    carrier.let_go(0, 7, 6, 5, 4, 3, 2, 1, 0)
    line.receive(0)
    chunks = line.take()
    assert written(chunks) == expected(*"abcdefghijklmnop")
    assert [chunk.position for chunk in chunks] == [1, 2]
    assert line.empty
    assert carrier.finished == ["e1", "e0"]


def test_equal_texts_under_way_are_sent_once(line: Line, carrier: FakeCarrier) -> None:
    carrier.hold = True
    line.add(rows("a", "b", "a"), 1)
    line.add(rows("b", "a"), 2)
    line.flush()
    assert carrier.texts == ["a", "b"]
    carrier.let_go(0)
    line.receive(0)
    chunks = line.take()
    assert written(chunks) == expected("a", "b", "a", "b", "a")
    assert [(chunk.sent, chunk.saved) for chunk in chunks] == [(2, 1), (0, 2)]


def test_a_text_that_was_answered_is_not_sent_again(line: Line, carrier: FakeCarrier) -> None:
    line.add(rows("a", "b"), 1)
    line.flush()
    line.receive(0)
    line.add(rows("b", "a", "c"), 2)
    line.flush()
    line.receive(0)
    assert carrier.texts == ["a", "b", "c"]
    assert written(line.take()) == expected("a", "b", "b", "a", "c")


def test_another_version_answers_anew(line: Line, carrier: FakeCarrier) -> None:
    line.add(rows("a"), 1)
    line.flush()
    line.receive(0)
    carrier.serving = ("fake", "2")
    line.add(rows("b"), 2)
    line.flush()
    line.receive(0)
    line.add(rows("a"), 3)
    line.flush()
    line.receive(0)
    assert carrier.texts == ["a", "b", "a"]
    assert [chunk.entries[0]["version"] for chunk in line.take() if chunk.entries[0]] == ["1", "2", "2"]


def test_errors_are_not_kept(line: Line, carrier: FakeCarrier) -> None:
    for position in (1, 2):
        line.add(rows("POISON"), position)
        line.flush()
        line.receive(0)
    assert carrier.texts == ["POISON", "POISON"]
    assert written(line.take()) == [("POISON", "model_failed")] * 2


def test_texts_of_an_envelope_that_killed_its_workers_are_sent_alone(answers: Answers) -> None:
    class Deadly(FakeCarrier):
        def let_go(self, number: int, *indices: int) -> None:
            identity, texts = self.sent[number]
            if "FATAL" not in texts:
                super().let_go(number)
                return
            given_up = failure(None, "too_many_deliveries", "given up after 6 deliveries")
            # The first text was answered before the workers died.
            self.coming.append((identity, [(0, entry_for(texts[0]))] if texts[0] != "FATAL" else []))
            self.coming.append((identity, [(index, given_up) for index in range(len(texts))]))

    carrier = Deadly()
    line = make_line(carrier, answers)
    line.add(rows("a", "b", "FATAL", "b", "c", "FATAL"), 1)
    line.flush()
    while not line.empty:
        line.wait()
        chunks = line.take()
    assert [texts for _, texts in carrier.sent] == [["a", "b", "FATAL", "c"], ["b"], ["FATAL"], ["c"]]
    assert len({identity for identity, _ in carrier.sent}) == 4
    fatal = [("FATAL", "too_many_deliveries")]
    assert written(chunks) == [*expected("a", "b"), *fatal, *expected("b", "c"), *fatal]
    assert [(chunk.sent, chunk.saved) for chunk in chunks] == [(4, 2)]
    assert carrier.finished == [identity for identity, _ in carrier.sent]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (Row(["x"], None, "line 3: broken"), "line 3: broken"),
        (Row(["x"], None), "the text is empty or blank"),
        (Row(["x"], " \n\t"), "the text is empty or blank"),
        (Row(["x"], "x" * 51), "the text has 51 characters, over the limit of 50"),
        (Row(["x"], "a\udcff"), "the text is not valid Unicode"),
    ],
)
def test_what_cannot_be_sent_keeps_its_place_with_the_reason(
    line: Line, carrier: FakeCarrier, row: Row, problem: str
) -> None:
    line.add([*rows("a"), row, *rows("b")], 1)
    line.flush()
    line.receive(0)
    (chunk,) = line.take()
    assert carrier.texts == ["a", "b"]
    assert chunk.entries[1] == {"error": {"code": "invalid_input", "message": problem}}


def test_the_first_answer_counts(line: Line, carrier: FakeCarrier) -> None:
    line.add(rows("a"), 1)
    line.flush()
    carrier.coming.append((carrier.sent[0][0], [(0, entry_for("POISON")), (5, entry_for("b"))]))
    carrier.coming.append(("unknown", [(0, entry_for("b"))]))
    line.receive(0)
    carrier.let_go(0)
    line.receive(0)
    assert written(line.take()) == expected("a")


def test_the_line_is_full_when_its_rows_are_large(line: Line, carrier: FakeCarrier) -> None:
    carrier.hold = True
    line.add(rows("a", "b"), MOST_BYTES - 1)
    assert not line.full
    line.add(rows("c"), MOST_BYTES + 9)
    assert line.full
    line.wait()  # which sends what there is, for nothing is under way
    carrier.let_go(0)
    line.receive(0)
    assert written(line.take()) == expected("a", "b", "c")
    assert not line.full


def test_envelopes_are_full_however_many_rows_are_known(line: Line, carrier: FakeCarrier) -> None:
    line.add(rows(*"abcdefgh"), 1)
    line.receive(0)
    for position in range(2, 10):
        line.add(rows(*"abcdefg", f"new {position}"), position)
    assert [len(texts) for _, texts in carrier.sent] == [8, 8]


def test_a_wait_with_nothing_under_way_sends_what_there_is(line: Line, carrier: FakeCarrier) -> None:
    line.add(rows("a"), 1)
    assert not carrier.sent
    line.wait()
    assert written(line.take()) == expected("a")


def test_the_line_is_full_at_its_bounds(carrier: FakeCarrier, answers: Answers) -> None:
    carrier.hold = True
    line = make_line(carrier, answers, most=40)
    for position in range(2):
        assert not line.full
        line.add(rows(*(f"{position} {i}" for i in range(8))), position)
    assert line.full  # the workers' floor of 16 is under way
    carrier.let_go(1)
    line.receive(0)
    assert not line.full
    for position in range(2, 5):
        line.add(rows(*["0 0"] * 8), position)
    assert line.full  # 40 rows behind the first envelope, though few are under way
    assert line.oldest == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcdefghij") | st.just(" "), max_size=12), max_size=12), st.data())
def test_every_row_comes_out_once_in_order(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[list[str]], data: st.DataObject
) -> None:
    carrier = FakeCarrier(messages=data.draw(st.integers(1, 5)))
    carrier.hold = True
    answers = Answers(tmp_path_factory.mktemp("line") / "answers.sqlite")
    line, out, waiting = make_line(carrier, answers), [], 0
    for position, texts in enumerate(chunks):
        line.add(rows(*texts), position)
        while waiting < len(carrier.sent) and data.draw(st.booleans()):
            carrier.let_go(waiting)
            waiting += 1
        line.receive(0)
        out += line.take()
    line.flush()
    for number in range(waiting, len(carrier.sent)):
        carrier.let_go(number)
    line.receive(0)
    out += line.take()
    answers.close()
    assert [text for text, _ in written(out)] == [text for texts in chunks for text in texts]
    assert all(
        label == ("invalid_input" if text == " " else entry_for(text or "")["label"]) for text, label in written(out)
    )
    assert len(carrier.texts) == len(set(carrier.texts)) == sum(chunk.sent for chunk in out)
    assert line.empty
