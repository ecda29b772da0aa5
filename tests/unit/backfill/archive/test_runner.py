"""What the runner tells and notes; whole runs are in tests/integration/test_archives.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sluice.backfill.archive import ending, runner
from sluice.backfill.archive.check import check
from sluice.backfill.archive.folder import REPORTING, Description, Folder, Starts
from sluice.backfill.archive.folder_display import FolderDisplay
from sluice.backfill.archive.plan import plan_of
from sluice.backfill.archive.runner import NO_REPORT, REPORT_STARTS, FolderStop, run
from sluice.backfill.archive.wording import said
from sluice.backfill.engine import BackfillResult
from sluice.backfill.folder import RunFolder
from sluice.backfill.report.names import ReportNames
from sluice.backfill.run.facts import Names, Note, Option, Quoted, Reason
from sluice.backfill.run.stats import RunStats
from sluice.backfill.run.stop import Stopped
from sluice.config.settings import read
from sluice.tasks.errors import UnwritableOutput
from sluice.tasks.sentence import Sentence
from sluice.tasks.wire.entry import prediction


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    found = Folder(tmp_path / "archive-1")
    found.uploads.mkdir(parents=True)
    monkeypatch.chdir(found.uploads)  # the check goes there too, and is undone with this
    return found


@pytest.mark.parametrize(
    ("note", "told"),
    [
        ("the 'new' file-2.csv is empty", "the 'new' file-2.csv is empty"),
        (Sentence("name it with {option}", option=Option.TEXT_COLUMN), "name it with text_column"),
        (
            Sentence("its columns are {columns}", columns=Names(["id", "Hi Ann, call me!", "it's", "Zeit"])),
            "its columns are 'id', (column 2), (column 3), 'Zeit'",
        ),
        (
            Sentence("its columns are {columns}", columns=Names(["id", "Hi Ann", "+44 (it)", "Zeit"])),
            "its columns are 'id', '…', '…', 'Zeit'",
        ),
        (Sentence("its root is {tag}", tag=Quoted("Hi Ann, call me!")), "its root is '…'"),
        (Sentence("no order {wanted}", wanted=Quoted("ymd")), "no order 'ymd'"),
        (Sentence("damaged ({reason})", reason=Reason('near "Hi Ann": no')), "damaged (near …)"),
        (Sentence("{file}: {note}", file="a.csv", note=Sentence("see {o}", o=Option.ENCODING)), "a.csv: see encoding"),
        ("x" * 600, "x" * 499 + "…"),
    ],
)
def test_sentences_name_fields_and_quote_no_text(note: Note, told: str) -> None:
    assert said(note) == told


def test_messages_name_files_as_the_caller_does_and_no_path_of_the_server(folder: Folder) -> None:
    for number, content in enumerate(("text\nhello\n", "{broken", ""), 1):
        (folder.uploads / f"file-{number}").write_text(content)
    names = ["good.csv", "the 'new' file-2.csv", "empty.csv"]
    folder.describe(Description(created_at=1.0, names=names))
    message = check(folder, read(_env_file=None))["message"]
    assert message.startswith("the format of the 'new' file-2.csv is not recognised")
    (folder.uploads / "file-2").write_text("text\nhello, too\n")
    assert check(folder, read(_env_file=None))["message"] == "empty.csv is empty"
    plan = plan_of(folder, folder.description(), read(_env_file=None))
    with pytest.raises(UnwritableOutput) as caught, RunFolder(plan.folder, plan.target) as run_folder:
        raise run_folder.problem(OSError(28, "No space left"))
    assert said(caught.value.sentence) == "result.csv cannot be written (No space left)"


def test_the_plan_is_what_was_asked_for_even_if_settings_change(folder: Folder) -> None:
    description = Description(
        created_at=1.0,
        names=["a", "b"],
        output="parquet",
        max_text_chars=70,
        read={"text_column": "t", "encoding": "cp1252"},
        scores=True,
    )
    plan = plan_of(folder, description, read(_env_file=None, max_text_chars=99, max_archive_bytes=2048))
    assert plan.inputs == ("uploads/file-1", "uploads/file-2")
    assert [plan.name_of(one) for one in plan.inputs] == ["a", "b"]
    assert (plan.target, plan.output_format) == (Path("result.parquet"), "parquet")
    assert (plan.read.text_column, plan.read.encoding, plan.read.format) == ("t", "cp1252", None)
    assert (plan.scores, plan.max_text_chars, plan.max_unpacked_bytes) == (True, 70, 40_960)


@pytest.mark.parametrize(
    ("content", "fields", "code", "field"),
    [
        ("text,n\nhello,1\n", {}, None, None),
        ("body,n\nhello,1\n", {"text_column": "n"}, None, None),
        ("name,n\nhello,1\n", {}, "unreadable_archive", "text_column"),
        ("name,n\nhello,1\n", {"text_column": "x"}, "unreadable_archive", "text_column"),
        ("\x7fELF\x02\x01\0\0\0\0\0\0\0", {}, "unsupported_media_type", "file"),
        ("", {}, "unreadable_archive", "file"),
    ],
)
def test_the_check_tells_what_is_wrong(
    folder: Folder, content: str, fields: dict[str, str], code: str | None, field: str | None
) -> None:
    (folder.uploads / "file-1").write_text(content)
    folder.describe(Description(created_at=1.0, names=["sms.csv"], read=fields))
    found = check(folder, read(_env_file=None))
    assert found["error"] == code
    assert found.get("details", {}).get("field") == field


def test_progress_is_noted_for_others(folder: Folder) -> None:
    display = FolderDisplay(folder)
    display.note("no worker is ready")
    assert (folder.progress().state, folder.progress().note) == ("queued", "no worker is ready")
    stats = RunStats()
    stats.add([prediction(None, "ham", 0.9, "m", "1"), {"error": {"code": "invalid_input", "message": "blank"}}])
    FolderDisplay(folder).update(0.25, stats)
    progress = folder.progress()
    assert (progress.state, progress.done, progress.failed, progress.share) == ("running", 2, 1, 0.25)
    assert (progress.labels, progress.total) == ({"ham": 1}, None)


def test_a_full_disk_does_not_stop_the_display(folder: Folder) -> None:
    display = FolderDisplay(folder)
    folder.uploads.rmdir()
    folder.path.rmdir()
    display.update(0.5, RunStats())


def test_a_stop_is_said_once_whoever_asked_for_it(folder: Folder) -> None:
    stop = FolderStop(folder)
    stop.check()
    folder.cancel()
    with pytest.raises(Stopped):
        stop.sleep(5)
    stop.sleep(0.3)


def test_an_ending_is_found_by_the_next_runner(folder: Folder) -> None:
    assert ending.load(folder) is None
    stats = RunStats()
    stats.add([prediction(None, "ham", 0.9, "m", "1")])
    names = ReportNames("text", None, None, "label", "probability", "error")
    ending.save(folder, BackfillResult(stats, names))
    found = ending.load(folder)
    assert found is not None
    assert found.names == names
    assert (found.stats.labels, found.stats.runs) == ({"ham": 1}, 1)


def watched(action: Callable[..., Any], look: Callable[[], Any]) -> Callable[..., Any]:
    """``action``, with a look at what there is just before it."""

    def run(*arguments: Any) -> Any:
        look()
        return action(*arguments)

    return run


def test_an_archive_that_is_deleted_while_its_report_is_made_just_goes(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.describe(Description(created_at=1.0, names=["sms.csv"], report=True))
    stats = RunStats()
    stats.add([prediction(None, "ham", 0.9, "m", "1")])
    ending.save(folder, BackfillResult(stats, ReportNames("text", None, None, "label", "probability", "error")))
    monkeypatch.setattr(runner, "_report", watched(runner._report, folder.remove))
    run(folder, read(_env_file=None), FolderStop(folder))
    assert not folder.path.exists()


@pytest.mark.parametrize(
    ("result", "deaths", "made"),
    [("text,label,probability,error\nhello,ham,0.9,\n", 1, True), (None, 1, False), ("text", REPORT_STARTS + 1, False)],
    ids=["a result", "no result to read", "a runner that died in it"],
)
def test_without_its_report_an_archive_is_done_too(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, result: str | None, deaths: int, made: bool
) -> None:
    folder.describe(Description(created_at=1.0, names=["sms.csv"], report=True))
    stats = RunStats()
    stats.add([prediction(None, "ham", 0.9, "m", "1")])
    ending.save(folder, BackfillResult(stats, ReportNames("text", None, None, "label", "probability", "error")))
    if result is not None:
        folder.result("csv").write_text(result)
    folder.note_starts(Starts(deaths))
    seen = []
    monkeypatch.setattr(runner, "_report", watched(runner._report, lambda: seen.append(folder.progress())))
    run(folder, read(_env_file=None), FolderStop(folder))
    progress = folder.progress()
    assert [(one.state, one.note, one.finished_at) for one in seen] == [("done", REPORTING, progress.finished_at)]
    assert (progress.state, progress.total, progress.share) == ("done", 1, 1.0)
    assert folder.report.is_file() == made
    assert progress.note == (None if made else NO_REPORT)
