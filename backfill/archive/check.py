"""Looks at an upload before it is accepted: is it an archive of messages at all?"""

from __future__ import annotations

import os
import re
from typing import Any

from sluice.backfill.archive.folder import Folder
from sluice.backfill.archive.plan import plan_of, told
from sluice.backfill.inputs.open_inputs import open_inputs
from sluice.backfill.run.stop import Stop
from sluice.config.settings import Settings
from sluice.tasks.errors import SluiceError

#: An error that names an option is about the field of that name.
OPTION = re.compile(r"--(text-column|sender-column|time-column|encoding|delimiter|date-order)\b")
#: Details that an answer repeats; others could hold what a file says.
NUMBERS = ("limit", "bytes")


def check(folder: Folder, settings: Settings) -> dict[str, Any]:
    """``{"error": None}``, or the error's code, message and details; reads what opening the files reads."""
    description = folder.description()
    os.chdir(folder.uploads)
    try:
        open_inputs(plan_of(folder, description, settings), Stop()).close()
    except SluiceError as exc:
        about = OPTION.search(exc.message)
        field = about[1].replace("-", "_") if about else "file"
        details = {"field": field, **{name: value for name, value in exc.details.items() if name in NUMBERS}}
        return {"error": exc.code, "message": told(exc, folder, description.names), "details": details}
    return {"error": None}
