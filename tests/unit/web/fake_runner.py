"""Stands in for ``python -m sluice.backfill.archive``: the first word of the upload says what it does."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from sluice.backfill.archive.folder import REPORTING, Folder
from sluice.tasks.parent import end_with

REFUSALS = {
    b"junk": {"error": "unsupported_media_type", "message": "the format is not recognised", "details": {}},
    b"broken": {"error": "unreadable_archive", "message": "no text", "details": {"field": "text_column"}},
}


def check(word: bytes) -> None:
    if word == b"crash-in-check":
        os.kill(os.getpid(), signal.SIGSEGV)
    print(json.dumps(REFUSALS.get(word, {"error": None})))


def run(folder: Folder, word: bytes) -> None:
    progress = folder.progress()
    if word == b"die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == b"fail":
        folder.finish(progress.end("failed", {"code": "unreadable_archive", "message": "cut off in the middle"}))
        return
    if word in (b"wait", b"idle"):
        if word == b"wait":
            progress.state, progress.done = "running", 7
            folder.note_progress(progress)
        while not folder.cancelled:
            time.sleep(0.02)
        folder.finish(progress.end("cancelled"))
        return
    if word == b"late":
        progress.state = "running"
        folder.note_progress(progress)
        while not folder.cancelled:
            time.sleep(0.02)
    description = folder.description()
    folder.result(description.output).write_bytes((folder.uploads / "file-1").read_bytes())
    if word == b"report":
        folder.note_ending({})
        progress.note = REPORTING
        progress.state, progress.finished_at = "done", time.time()
        folder.note_progress(progress)
        while not (folder.path / "go on").exists():
            if not folder.path.exists():
                return
            time.sleep(0.02)
        progress.note = None
    if description.report:
        folder.report.write_text("<h1>report</h1>")
    progress.total = progress.done = 2
    folder.finish(progress if progress.finished else progress.end("done"))


if __name__ == "__main__":
    if "--parent" in sys.argv:
        end_with(int(sys.argv[sys.argv.index("--parent") + 1]), signal.SIGKILL)
    here = Folder(Path(sys.argv[-1]))
    first = (here.uploads / "file-1").read_bytes()[:100].split(b",")[0]
    if "--check" in sys.argv:
        check(first)
    else:
        run(here, first)
