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
from sluice.backfill.archive.plan import in_their_words, plan_of
from sluice.backfill.archive.runner import NO_REPORT, REPORT_STARTS, FolderStop, run
from sluice.backfill.engine import BackfillResult
from sluice.backfill.report.names import ReportNames
from sluice.backfill.run.stats import RunStats
from sluice.backfill.run.stop import Stopped
from sluice.config.settings import read
from sluice.tasks.wire.entry import prediction


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    found = Folder(tmp_path / "archive-1")
    found.uploads.mkdir(parents=True)
    monkeypatch.chdir(found.uploads)  # the check goes there too, and is undone with this
    return found


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("file-1 is empty", "the 'new' file-2.csv is empty"),
        ("file-2!a/b.csv is cut off", "b.zip!a/b.csv is cut off"),
        ("file-3 is unknown", "file 3 is unknown"),
        ("{folder}/uploads/file-2: no", "b.zip: no"),
        ("{folder}/result.csv cannot be written (No space left)", "result.csv cannot be written (No space left)"),
        ("name it with --text-column", "name it with text_column"),
        ("its columns are 'id', 'Hi Ann, call me!', \"it's\", 'Zeit'", "its columns are 'id', '…', '…', 'Zeit'"),
        ("x" * 600, "x" * 499 + "…"),
    ],
)
def test_errors_name_what_the_caller_knows_and_quote_no_text(folder: Folder, sentence: str, told: str) -> None:
    names = ["the 'new' file-2.csv", "b.zip"]
    assert in_their_words(sentence.format(folder=folder.path), folder, names) == told


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
    assert plan.inputs == ("file-1", "file-2")
    assert (plan.target, plan.output_format) == (folder.path / "result.parquet", "parquet")
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
    display = FolderDisplay(folder, str.upper)
    display.note("no worker is ready")
    assert (folder.progress().state, folder.progress().note) == ("queued", "NO WORKER IS READY")
    stats = RunStats()
    stats.add([prediction(None, "ham", 0.9, "m", "1"), {"error": {"code": "invalid_input", "message": "blank"}}])
    FolderDisplay(folder, str).update(0.25, stats)
    progress = folder.progress()
    assert (progress.state, progress.done, progress.failed, progress.share) == ("running", 2, 1, 0.25)
    assert (progress.labels, progress.total) == ({"ham": 1}, None)


def test_a_full_disk_does_not_stop_the_display(folder: Folder) -> None:
    display = FolderDisplay(folder, str)
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
