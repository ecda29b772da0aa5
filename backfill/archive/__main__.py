"""``python -m sluice.backfill.archive --parent PID [--check] FOLDER``: started by the web process, never by hand."""

from __future__ import annotations

import argparse
import logging
import sys
import traceback
from pathlib import Path

import orjson

from sluice.backfill.archive import limits
from sluice.backfill.archive.folder import Folder
from sluice.backfill.archive.plan import UNPACKED_TIMES
from sluice.config.settings import current
from sluice.tasks.parent import end_with

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
#: A result may be larger than its input: labels and scores.
RESULT_TIMES = 4


def main() -> int:
    options = _options()
    folder = Folder(options.folder)
    end_with(options.parent)
    settings = current()
    limits.apply(UNPACKED_TIMES * RESULT_TIMES * settings.max_archive_bytes)
    logging.basicConfig(level=settings.log_level.upper(), format=LOG_FORMAT)
    if options.check:
        from sluice.backfill.archive.check import check

        sys.stdout.buffer.write(orjson.dumps(check(folder, settings)))
        return 0
    from sluice.backfill.archive.runner import FolderStop, run

    stop = FolderStop(folder)
    stop.install()
    run(folder, settings, stop)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="sluice.backfill.archive", description="Classify or check one uploaded archive."
    )
    parser.add_argument("--parent", type=int, required=True, help="the process that this one does not outlive")
    parser.add_argument("--check", action="store_true", help="say as JSON what is wrong with the upload")
    parser.add_argument("folder", type=Path)
    return parser.parse_args()


def guarded() -> int:
    """``main``; of an error of ours the place is logged, not the message, since it could quote a text."""
    try:
        return main()
    except Exception as exc:
        frames = "".join(traceback.format_tb(exc.__traceback__))
        logging.getLogger("sluice.backfill.archive").error("%s\n%s", type(exc).__name__, frames)
        return 1


if __name__ == "__main__":
    sys.exit(guarded())
