"""A backfill that dies, or finds the disk full, at its very end."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.backfill import engine
from sluice.backfill.answer_store import LOOKUP, AnswerStore, digest_of
from sluice.backfill.folder import LOCK, RunFolder
from sluice.backfill.run.plan import Plan
from sluice.backfill.run.stop import Stop
from sluice.harness.chaos import FORMATS, differences, read_rows
from sluice.tasks.errors import UnwritableOutput
from sluice.tasks.wire.entry import prediction_of
from tests.unit.backfill.fakes import FakeClassifier, entry_for
from tests.unit.backfill.test_engine import Crash, Quiet


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("id,text\n" + "".join(f"m{number},message {number % 40}\n" for number in range(100)))
    return path


def run(plan: Plan) -> FakeClassifier:
    classifier = FakeClassifier()
    engine.run(plan, classifier, Quiet(), Stop())
    return classifier


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_crash_wherever_in_the_folder_s_end_costs_nothing(
    source: Path, tmp_path: Path, output_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Plan((str(source),), tmp_path / f"plain.{output_format}", output_format)
    plan = Plan((str(source),), tmp_path / f"out.{output_format}", output_format)
    run(plain)
    wanted = read_rows(plain.target)
    for steps in itertools.count():
        with monkeypatch.context() as patched:
            dies_in_its_end(patched, steps)
            with pytest.raises(Crash):
                run(plan)
        assert differences(wanted, read_rows(plan.target)) == []
        if not plan.folder.exists():
            break  # everything but the lock was gone: there is nothing to carry on
        assert run(plan).sent == []
        assert differences(wanted, read_rows(plan.target)) == []
        assert not plan.folder.exists()
    assert steps > 1


def dies_in_its_end(patched: pytest.MonkeyPatch, steps: int) -> None:
    """The run dies after so many files of its folder are gone, once the output has its name."""

    def empty(self: RunFolder, order: Callable[[Path], bool]) -> None:
        left = [one for one in sorted(self.path.iterdir(), key=order) if one.name != LOCK]
        for one in left[:steps]:
            one.unlink()
        raise Crash

    original = RunFolder.publish
    patched.setattr(RunFolder, "publish", lambda self: (original(self), patched.setattr(RunFolder, "_empty", empty)))


def test_what_comes_after_the_output_is_come_to_again(source: Path, tmp_path: Path) -> None:
    plan = Plan((str(source),), tmp_path / "out.parquet", "parquet")
    seen: list[engine.BackfillResult] = []

    def fails(result: engine.BackfillResult) -> None:
        assert plan.target.exists()
        raise UnwritableOutput("page.html cannot be written (No space left on device)")

    with pytest.raises(UnwritableOutput):
        engine.run(plan, FakeClassifier(), Quiet(), Stop(), fails)
    rows, made = read_rows(plan.target), plan.target.stat()
    classifier, display = FakeClassifier(), Quiet()
    engine.run(plan, classifier, display, Stop(), seen.append)
    assert not classifier.sent
    assert [result.stats.rows for result in seen] == [100]
    assert (read_rows(plan.target), plan.target.stat().st_ino) == (rows, made.st_ino)
    assert display.shares[-1] == 1.0
    assert not plan.folder.exists()


def test_an_older_output_is_not_taken_for_the_one_that_is_missing(source: Path, tmp_path: Path) -> None:
    plan = Plan((str(source),), tmp_path / "out.csv", "csv")
    run(plan)
    with RunFolder(plan.folder, plan.target) as place:
        assert not place.published([0, 0])
        place.partial.write_text("rows")
        made = place.identity()
        place.publish()
        assert place.published(made)
        plan.target.write_text("rows and more")
        assert not place.published(made)


def test_a_full_disk_under_the_answers_is_said_in_a_sentence(tmp_path: Path) -> None:
    answers = AnswerStore(tmp_path / "answers.sqlite")
    pages = answers._db.execute("PRAGMA page_count").fetchone()[0]
    answers._db.execute(f"PRAGMA max_page_count = {pages}")
    texts = [f"message {number}" for number in range(20 * LOOKUP)]
    with pytest.raises(UnwritableOutput, match=r"answers\.sqlite cannot be written .*full"):
        answers.keep((digest_of(text), row, prediction_of(entry_for(text))) for row, text in enumerate(texts))
    answers.close()
