"""Looks at an upload before it is accepted: is it an archive of messages at all?"""

from __future__ import annotations

import os
from typing import Any

from sluice.backfill.archive.folder import Folder
from sluice.backfill.archive.plan import plan_of
from sluice.backfill.archive.wording import field_of, said
from sluice.backfill.inputs.open_inputs import open_inputs
from sluice.backfill.run.stop import Stop
from sluice.config.settings import Settings
from sluice.tasks.errors import SluiceError

#: Details that an answer repeats; others could hold what a file says.
NUMBERS = ("limit", "bytes")


def check(folder: Folder, settings: Settings) -> dict[str, Any]:
    """``{"error": None}``, or the error's code, message and details; reads what opening the files reads."""
    description = folder.description()
    os.chdir(folder.path)
    try:
        open_inputs(plan_of(folder, description, settings), Stop()).close()
    except SluiceError as exc:
        numbers = {name: value for name, value in exc.details.items() if name in NUMBERS}
        return {"error": exc.code, "message": said(exc.sentence), "details": {"field": field_of(exc), **numbers}}
    return {"error": None}
