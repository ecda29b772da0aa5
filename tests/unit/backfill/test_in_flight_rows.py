"""The line between reading and writing: order, duplicates, bounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from sluice.backfill.answer_store import AnswerStore
from sluice.backfill.in_flight_rows import MOST_BYTES, Chunk, InFlightRows
from sluice.backfill.table.row import Row
from sluice.tasks.wire.entry import failure, prediction_of
from tests.unit.backfill.fakes import FakeClassifier, entry_for


@pytest.fixture
def classifier() -> FakeClassifier:
    return FakeClassifier()


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[AnswerStore]:
    store = AnswerStore(tmp_path / "answers.sqlite")
    store.serve("fake", "1")
    yield store
    store.close()


@pytest.fixture
def line(classifier: FakeClassifier, answers: AnswerStore) -> InFlightRows:
    return make_line(classifier, answers)


def make_line(classifier: FakeClassifier, answers: AnswerStore, most: int = 100) -> InFlightRows:
    return InFlightRows(classifier, answers, most=most, max_text_chars=50, name=lambda number: f"e{number}")


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
    return [(text, prediction_of(entry_for(text))["label"]) for text in texts]


def test_rows_come_back_in_input_order(line: InFlightRows, classifier: FakeClassifier) -> None:
    classifier.hold = True
    line.add(rows(*"abcdefgh"), 1)
    line.add(rows(*"ijklmnop"), 2)
    classifier.let_go(1)
    line.receive(0)
    assert line.take() == []
    classifier.let_go(0, 7, 6, 5, 4, 3, 2, 1, 0)
    line.receive(0)
    chunks = line.take()
    assert written(chunks) == expected(*"abcdefghijklmnop")
    assert [chunk.position for chunk in chunks] == [1, 2]
    assert line.empty
    assert classifier.finished == ["e1", "e0"]


def test_equal_texts_under_way_are_sent_once(line: InFlightRows, classifier: FakeClassifier) -> None:
    classifier.hold = True
    line.add(rows("a", "b", "a"), 1)
    line.add(rows("b", "a"), 2)
    line.flush()
    assert classifier.texts == ["a", "b"]
    classifier.let_go(0)
    line.receive(0)
    chunks = line.take()
    assert written(chunks) == expected("a", "b", "a", "b", "a")
    assert [(chunk.sent, chunk.saved) for chunk in chunks] == [(2, 1), (0, 2)]


def test_a_text_that_was_answered_is_not_sent_again(line: InFlightRows, classifier: FakeClassifier) -> None:
    line.add(rows("a", "b"), 1)
    line.flush()
    line.receive(0)
    line.add(rows("b", "a", "c"), 2)
    line.flush()
    line.receive(0)
    assert classifier.texts == ["a", "b", "c"]
    assert written(line.take()) == expected("a", "b", "b", "a", "c")


def test_another_version_answers_anew(line: InFlightRows, classifier: FakeClassifier) -> None:
    line.add(rows("a"), 1)
    line.flush()
    line.receive(0)
    classifier.serving = ("fake", "2")
    line.add(rows("b"), 2)
    line.flush()
    line.receive(0)
    line.add(rows("a"), 3)
    line.flush()
    line.receive(0)
    assert classifier.texts == ["a", "b", "a"]
    assert [prediction_of(chunk.entries[0])["version"] for chunk in line.take() if chunk.entries[0]] == ["1", "2", "2"]


def test_errors_are_not_kept(line: InFlightRows, classifier: FakeClassifier) -> None:
    for position in (1, 2):
        line.add(rows("POISON"), position)
        line.flush()
        line.receive(0)
    assert classifier.texts == ["POISON", "POISON"]
    assert written(line.take()) == [("POISON", "model_failed")] * 2


def test_texts_of_an_envelope_that_killed_its_workers_are_sent_alone(answers: AnswerStore) -> None:
    class Deadly(FakeClassifier):
        def let_go(self, number: int, *indices: int) -> None:
            identity, texts = self.sent[number]
            if "FATAL" not in texts:
                super().let_go(number)
                return
            abandoned = failure(None, "too_many_deliveries", "given up after 6 deliveries")
            # The first text was answered before the workers died.
            self.coming.append((identity, [(0, entry_for(texts[0]))] if texts[0] != "FATAL" else []))
            self.coming.append((identity, [(index, abandoned) for index in range(len(texts))]))

    classifier = Deadly()
    line = make_line(classifier, answers)
    line.add(rows("a", "b", "FATAL", "b", "c", "FATAL"), 1)
    line.flush()
    while not line.empty:
        line.wait()
        chunks = line.take()
    assert [texts for _, texts in classifier.sent] == [["a", "b", "FATAL", "c"], ["b"], ["FATAL"], ["c"]]
    assert len({identity for identity, _ in classifier.sent}) == 4
    fatal = [("FATAL", "too_many_deliveries")]
    assert written(chunks) == [*expected("a", "b"), *fatal, *expected("b", "c"), *fatal]
    assert [(chunk.sent, chunk.saved) for chunk in chunks] == [(4, 2)]
    assert classifier.finished == [identity for identity, _ in classifier.sent]


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
    line: InFlightRows, classifier: FakeClassifier, row: Row, problem: str
) -> None:
    line.add([*rows("a"), row, *rows("b")], 1)
    line.flush()
    line.receive(0)
    (chunk,) = line.take()
    assert classifier.texts == ["a", "b"]
    assert chunk.entries[1] == {"error": {"code": "invalid_input", "message": problem}}


def test_the_first_answer_counts(line: InFlightRows, classifier: FakeClassifier) -> None:
    line.add(rows("a"), 1)
    line.flush()
    classifier.coming.append((classifier.sent[0][0], [(0, entry_for("POISON")), (5, entry_for("b"))]))
    classifier.coming.append(("unknown", [(0, entry_for("b"))]))
    line.receive(0)
    classifier.let_go(0)
    line.receive(0)
    assert written(line.take()) == expected("a")


def test_the_line_is_full_when_its_rows_are_large(line: InFlightRows, classifier: FakeClassifier) -> None:
    classifier.hold = True
    line.add(rows("a", "b"), MOST_BYTES - 1)
    assert not line.full
    line.add(rows("c"), MOST_BYTES + 9)
    assert line.full
    line.wait()  # which sends what there is, for nothing is under way
    classifier.let_go(0)
    line.receive(0)
    assert written(line.take()) == expected("a", "b", "c")
    assert not line.full


def test_envelopes_are_full_however_many_rows_are_known(line: InFlightRows, classifier: FakeClassifier) -> None:
    line.add(rows(*"abcdefgh"), 1)
    line.receive(0)
    for position in range(2, 10):
        line.add(rows(*"abcdefg", f"new {position}"), position)
    assert [len(texts) for _, texts in classifier.sent] == [8, 8]


def test_a_wait_with_nothing_under_way_sends_what_there_is(line: InFlightRows, classifier: FakeClassifier) -> None:
    line.add(rows("a"), 1)
    assert not classifier.sent
    line.wait()
    assert written(line.take()) == expected("a")


def test_the_line_is_full_at_its_bounds(classifier: FakeClassifier, answers: AnswerStore) -> None:
    classifier.hold = True
    line = make_line(classifier, answers, most=40)
    for position in range(2):
        assert not line.full
        line.add(rows(*(f"{position} {i}" for i in range(8))), position)
    assert line.full  # the workers' floor of 16 is under way
    classifier.let_go(1)
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
    classifier = FakeClassifier(messages=data.draw(st.integers(1, 5)))
    classifier.hold = True
    answers = AnswerStore(tmp_path_factory.mktemp("line") / "answers.sqlite")
    line, out, waiting = make_line(classifier, answers), [], 0
    for position, texts in enumerate(chunks):
        line.add(rows(*texts), position)
        while waiting < len(classifier.sent) and data.draw(st.booleans()):
            classifier.let_go(waiting)
            waiting += 1
        line.receive(0)
        out += line.take()
    line.flush()
    for number in range(waiting, len(classifier.sent)):
        classifier.let_go(number)
    line.receive(0)
    out += line.take()
    answers.close()
    assert [text for text, _ in written(out)] == [text for texts in chunks for text in texts]
    assert all(
        label == ("invalid_input" if text == " " else prediction_of(entry_for(text or ""))["label"])
        for text, label in written(out)
    )
    assert len(classifier.texts) == len(set(classifier.texts)) == sum(chunk.sent for chunk in out)
    assert line.empty
