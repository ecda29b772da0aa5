"""A whole backfill with a classifier of the test's own: stopped, crashed, carried on, refused."""

from __future__ import annotations

import csv
import json
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.backfill import engine
from sluice.backfill.clients.base import IndexedEntries
from sluice.backfill.engine import BackfillResult
from sluice.backfill.run.facts import Note
from sluice.backfill.run.plan import Plan
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.run.stats import RunStats
from sluice.backfill.run.stop import Stop, Stopped
from sluice.cli.wording import words
from sluice.tasks.errors import BrokerUnavailable, ChangedRun, InvalidInput, UnreadableArchive
from sluice.tasks.sentence import Sentence
from sluice.tasks.verdicts import no_thresholds
from sluice.tasks.wire.entry import prediction_of
from tests.unit.backfill.compare import sqlite_rows
from tests.unit.backfill.fakes import LABELS, FakeClassifier, entry_for

ROWS = 2_000


class Crash(BaseException):
    """Ends a run wherever it is."""


class Quiet:
    """A display that shows nothing and remembers what it was told."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.notes: list[str] = []

    def update(self, share: float, stats: RunStats) -> None:
        self.shares.append(share)

    def words(self, note: Note) -> str:
        return note.said(words) if isinstance(note, Sentence) else note

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


class Fragile(FakeClassifier):
    """Fails with ``error`` at the ``looks``-th look for answers; before it, answers come late and out of order."""

    def __init__(self, looks: int, error: BaseException, seed: int = 0) -> None:
        super().__init__()
        self._looks = looks
        self._error = error
        self._random = random.Random(seed)

    def receive(self, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
        self._looks -= 1
        if self._looks == 0:
            raise self._error
        coming = list(self.coming)
        self._random.shuffle(coming)
        now = coming if timeout_s else coming[: len(coming) // 2]
        for one in now:
            self.coming.remove(one)
        return now


@pytest.fixture(autouse=True)
def checkpoints_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CHECKPOINT_S", 0.0)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two thousand rows, many of them alike, some that cannot be classified."""
    chance = random.Random(7)
    path = tmp_path / "in.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "text", "sender"])
        for number in range(ROWS):
            text = chance.choice([f"message {number}", f"offer {chance.randrange(50)}", "", "POISON"])
            rows.writerow([number, text, f"+44770090{number % 50:04}"])
    return path


@pytest.fixture
def plan(source: Path, tmp_path: Path) -> Plan:
    return Plan((str(source),), tmp_path / "out.csv", "csv", max_in_flight=512)


def backfill(plan: Plan, classifier: FakeClassifier | None = None, stop: Stop | None = None) -> BackfillResult:
    return engine.run(plan, classifier or FakeClassifier(), Quiet(), stop or Stop())


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_gets_its_answer(plan: Plan, source: Path) -> None:
    result = backfill(plan)
    before, after = rows_of(source), rows_of(plan.target)
    assert [{name: row[name] for name in ("id", "text", "sender")} for row in after] == before
    for row in after:
        if not row["text"]:
            assert row["error"] == "invalid_input: the text is empty or blank"
        elif row["text"] == "POISON":
            assert row["error"].startswith("model_failed: ")
        else:
            entry = prediction_of(entry_for(row["text"]))
            assert (row["label"], float(row["probability"])) == (entry["label"], entry["probability"])
            assert (row["model"], row["version"], row["error"]) == ("fake", "1", "")
    assert result.stats.rows == ROWS
    assert not plan.folder.exists()


def test_each_text_is_paid_once(plan: Plan, source: Path) -> None:
    classifier = FakeClassifier()
    stats = backfill(plan, classifier).stats
    texts = [row["text"] for row in rows_of(source) if row["text"]]
    good = [text for text in classifier.texts if text != "POISON"]
    assert len(good) == len(set(good)) == len(set(texts) - {"POISON"})
    assert stats.sent == len(classifier.texts)
    assert stats.sent + stats.saved == len(texts)


def test_scores_get_a_column_each(plan: Plan) -> None:
    backfill(replace(plan, scores=True))
    row = next(row for row in rows_of(plan.target) if row["label"])
    assert [row[f"score_{label}"] for label in LABELS] == ["0.25"] * 3


def test_verdicts_get_a_column_and_their_rules_another(plan: Plan) -> None:
    backfill(replace(plan, verdict=True))
    rows = [row for row in rows_of(plan.target) if row["label"]]
    said = {"ham": "allow", "spam": "flag", "phishing": "block"}
    assert {row["verdict"] for row in rows} == set(said.values())
    assert all((row["verdict"], row["rule"]) == (said[row["label"]], f"rule of {row['label']}") for row in rows)


def test_a_model_that_gives_no_verdicts_is_told_at_once(plan: Plan) -> None:
    class Silent(FakeClassifier):
        def require_verdicts(self) -> None:
            raise no_thresholds("fake 1")

    with pytest.raises(InvalidInput, match="the model fake 1 has no thresholds"):
        backfill(replace(plan, verdict=True), Silent())
    assert not plan.target.exists()
    backfill(plan, Silent())
    assert "verdict" not in rows_of(plan.target)[0]


def test_a_run_that_was_begun_without_the_option_is_carried_on(plan: Plan) -> None:
    with pytest.raises(Crash):
        backfill(plan, Fragile(12, Crash()))
    path = plan.folder / "checkpoint.json"
    kept = json.loads(path.read_text())
    del kept["options"]["verdict"]  # as an earlier release wrote it
    path.write_text(json.dumps(kept))
    backfill(plan)
    assert len(rows_of(plan.target)) == ROWS


@pytest.mark.parametrize("output_format", ["csv", "jsonl", "sqlite"])
@pytest.mark.parametrize("seed", range(4))
def test_a_crashed_run_carries_on_to_the_same_output(plan: Plan, tmp_path: Path, output_format: str, seed: int) -> None:
    clean = replace(plan, target=tmp_path / "clean", output_format=output_format)
    backfill(clean)
    chance = random.Random(seed)
    plan = replace(plan, output_format=output_format)
    crashes = 0
    for _ in range(3):
        try:
            backfill(plan, Fragile(chance.randrange(2, 25), Crash(), seed))
        except Crash:
            crashes += 1
        else:
            break
        assert not plan.target.exists()
    if not plan.target.exists():
        backfill(plan)
    assert crashes
    if output_format == "sqlite":
        assert sqlite_rows(plan.target) == sqlite_rows(clean.target)
    else:
        assert plan.target.read_bytes() == clean.target.read_bytes()


def test_a_stopped_run_carries_on_where_it_was(plan: Plan, source: Path) -> None:
    # How often a text that fails is tried again depends on the moment.
    source.write_text(source.read_text().replace("POISON", "harmless"))
    first = Fragile(12, Stopped(130))
    with pytest.raises(Stopped):
        backfill(plan, first)
    assert set(first.abandoned) >= {identity for identity, _ in first.sent} - set(first.finished)
    second = FakeClassifier()
    display = Quiet()
    result = engine.run(plan, second, display, Stop())
    clean = backfill(replace(plan, target=plan.target.with_name("clean.csv"))).stats
    assert result.stats.rows == ROWS
    assert (result.stats.sent, result.stats.saved) == (clean.sent, clean.saved)
    assert result.stats.runs == 2
    assert "carrying on after row" in display.notes[0]
    assert set(second.abandoned) >= {identity for identity, _ in first.sent} - set(first.finished)
    assert not {identity for identity, _ in first.sent} & {identity for identity, _ in second.sent}
    repeated = set(first.texts) & set(second.texts)
    assert len(repeated) < len(first.texts) / 2


def test_a_crash_after_the_last_row_costs_no_work(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(engine.RunFolder, "publish", fail)
        with pytest.raises(Crash):
            backfill(plan)
    classifier = FakeClassifier()
    backfill(plan, classifier)
    assert not classifier.sent
    assert len(rows_of(plan.target)) == ROWS


def test_a_changed_input_is_refused(plan: Plan, source: Path) -> None:
    with pytest.raises(Crash):
        backfill(plan, Fragile(12, Crash()))
    source.write_text(source.read_text().replace("message 1", "message X"))
    with pytest.raises(ChangedRun, match=r"in\.csv is not what it was"):
        backfill(plan)
    backfill(replace(plan, restart=True))
    assert len(rows_of(plan.target)) == ROWS


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda plan: replace(plan, output_format="jsonl"), "output format"),
        (lambda plan: replace(plan, scores=True), "scores"),
        (lambda plan: replace(plan, verdict=True), "verdict not given, now it is True"),
        (lambda plan: replace(plan, max_text_chars=10), "longest text"),
        (lambda plan: replace(plan, read=ReadOptions(text_column="sender")), "text column"),
        (lambda plan: replace(plan, inputs=(*plan.inputs, f"{plan.inputs[0]}.more")), "inputs"),
    ],
)
def test_a_changed_option_is_refused(plan: Plan, change: Callable[[Plan], Plan], named: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv.more").write_text("id,text,sender\n1,a,b\n")
    with pytest.raises(Crash):
        backfill(plan, Fragile(12, Crash()))
    with pytest.raises(ChangedRun, match=named):
        backfill(change(plan))
    backfill(plan)
    assert len(rows_of(plan.target)) == ROWS


def test_an_input_that_changes_while_it_is_read_is_refused(plan: Plan, source: Path) -> None:
    class Meddling(FakeClassifier):
        def receive(self, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
            if len(self.sent) >= 3:
                with source.open("a") as file:
                    file.write("\n")
            return super().receive(timeout_s)

    with pytest.raises(ChangedRun, match="changed while it was being read"):
        backfill(plan, Meddling())
    assert not plan.target.exists()


@pytest.mark.parametrize("size", [0, 1])
def test_rows_of_a_file_that_was_changed_meanwhile_are_never_carried_on(plan: Plan, source: Path, size: int) -> None:
    content = source.read_text()

    class Meddling(FakeClassifier):
        def receive(self, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
            if len(self.sent) == 3:
                source.write_text(content.replace("message 1", "message X") + size * "\n")
            return super().receive(timeout_s)

    classifier = Meddling()
    with pytest.raises(ChangedRun, match="changed while it was being read"):
        backfill(plan, classifier)
    assert len(classifier.sent) < 10
    source.write_text(content)
    with pytest.raises(ChangedRun, match=r"in\.csv is not what it was"):
        backfill(plan)
    assert not plan.target.exists()
    backfill(replace(plan, restart=True))
    assert len(rows_of(plan.target)) == ROWS


def test_an_input_that_is_touched_while_it_is_read_is_the_same(plan: Plan, source: Path) -> None:
    class Touching(FakeClassifier):
        def receive(self, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
            os.utime(source, ns=(len(self.sent), len(self.sent)))
            return super().receive(timeout_s)

    backfill(plan, Touching())
    assert len(rows_of(plan.target)) == ROWS


def test_an_absent_broker_leaves_nothing(plan: Plan) -> None:
    class Absent(FakeClassifier):
        def send(self, envelope_id: str, texts: Sequence[str]) -> None:
            raise BrokerUnavailable("the broker cannot be reached (ConnectionError)")

    with pytest.raises(BrokerUnavailable):
        backfill(plan, Absent())
    assert not plan.folder.exists()
    assert not plan.target.exists()


def test_no_more_than_the_window_is_under_way(plan: Plan) -> None:
    class Counting(FakeClassifier):
        most = answered = 0

        def send(self, envelope_id: str, texts: Sequence[str]) -> None:
            super().send(envelope_id, texts)
            self.most = max(self.most, len(self.texts) - self.answered)

        def receive(self, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
            found = super().receive(timeout_s) if timeout_s else []
            self.answered += sum(len(answers) for _, answers in found)
            return found

    classifier = Counting(messages=64, floor=300)
    backfill(replace(plan, max_in_flight=400), classifier)
    assert 64 < classifier.most <= 400


def test_a_window_of_one_message_is_enough(plan: Plan, source: Path) -> None:
    source.write_text("".join(source.read_text().splitlines(keepends=True)[:50]))

    class Alone(FakeClassifier):
        def send(self, envelope_id: str, texts: Sequence[str]) -> None:
            assert len(texts) == 1
            assert not self.coming
            super().send(envelope_id, texts)

    backfill(replace(plan, max_in_flight=1), Alone())
    assert [row["id"] for row in rows_of(plan.target)] == [str(number) for number in range(49)]


def test_large_rows_are_let_go_before_they_fill_a_chunk(plan: Plan, source: Path) -> None:
    large = "x" * 900_000
    source.write_text("text,other\n" + "".join(f"{number},{large}\n" for number in range(100)))
    seen: list[int] = []

    class Watching(FakeClassifier):
        def receive(self, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
            seen.append(len(self.texts))
            return super().receive(timeout_s)

    backfill(plan, Watching())
    assert seen[0] <= 32
    assert len(rows_of(plan.target)) == 100


def test_an_unreadable_archive_leaves_nothing(plan: Plan, source: Path) -> None:
    source.write_bytes(b"")
    with pytest.raises(UnreadableArchive):
        backfill(plan)
    assert not plan.folder.exists()


def test_the_display_comes_to_its_end(plan: Plan) -> None:
    display = Quiet()
    engine.run(plan, FakeClassifier(), display, Stop())
    assert display.shares == sorted(display.shares)
    assert display.shares[-1] == 1.0
