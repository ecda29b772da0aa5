"""A backfill that dies, or finds the disk full, at its very end."""

from __future__ import annotations

from pathlib import Path

import pytest

from backfill import engine, folder
from backfill.answers import LOOKUP, Answers, digest_of
from backfill.plan import Plan
from backfill.stop import Stop
from tasks.errors import UnwritableOutput
from tests.harness.chaos import FORMATS, differences, read_rows
from tests.unit.backfill.fakes import FakeCarrier, entry_for
from tests.unit.backfill.test_engine import Crash, Quiet


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("id,text\n" + "".join(f"m{number},message {number % 40}\n" for number in range(100)))
    return path


def run(plan: Plan) -> FakeCarrier:
    carrier = FakeCarrier()
    engine.run(plan, carrier, Quiet(), Stop())
    return carrier


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_crash_between_the_output_s_name_and_the_folder_s_end_costs_nothing(
    source: Path, tmp_path: Path, output_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Plan((str(source),), tmp_path / f"plain.{output_format}", output_format)
    plan = Plan((str(source),), tmp_path / f"out.{output_format}", output_format)
    run(plain)

    def die(*_: object, **__: object) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(folder.shutil, "rmtree", die)
        with pytest.raises(Crash):
            run(plan)
    assert plan.target.exists()
    assert plan.folder.exists()
    assert run(plan).sent == []
    assert differences(read_rows(plain.target), read_rows(plan.target)) == []
    assert not plan.folder.exists()


def test_an_older_output_is_not_taken_for_the_one_that_is_missing(source: Path, tmp_path: Path) -> None:
    plan = Plan((str(source),), tmp_path / "out.csv", "csv")
    run(plan)
    with folder.RunFolder(plan.folder, plan.target) as place:
        place.take_back([0, 0])
        assert plan.target.exists()
        assert not place.partial.exists()


def test_a_full_disk_under_the_answers_is_said_in_a_sentence(tmp_path: Path) -> None:
    answers = Answers(tmp_path / "answers.sqlite")
    pages = answers._db.execute("PRAGMA page_count").fetchone()[0]
    answers._db.execute(f"PRAGMA max_page_count = {pages}")
    texts = [f"message {number}" for number in range(20 * LOOKUP)]
    with pytest.raises(UnwritableOutput, match=r"answers\.sqlite cannot be written .*full"):
        answers.keep((digest_of(text), row, entry_for(text)) for row, text in enumerate(texts))
    answers.close()
