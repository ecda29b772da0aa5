"""An uploaded archive as a plan for the engine."""

from __future__ import annotations

from pathlib import Path

from sluice.backfill.archive.folder import Description, Folder
from sluice.backfill.inputs.names import is_called_text
from sluice.backfill.run.plan import Plan
from sluice.backfill.run.read_options import ReadOptions
from sluice.config.settings import Settings

#: What files may unpack to, in times of ``MAX_ARCHIVE_BYTES``: exports shrink to a tenth, bombs to a thousandth.
UNPACKED_TIMES = 20


def plan_of(folder: Folder, description: Description, settings: Settings) -> Plan:
    """The plan; its paths are relative to ``folder.path``, where this process has to be: so messages show no other."""
    files = {f"{folder.uploads.name}/file-{number}": name for number, name in enumerate(description.names, 1)}
    return Plan(
        inputs=tuple(files),
        names=files,
        target=Path(folder.result(description.output).name),
        output_format=description.output,
        read=ReadOptions(**description.read),
        scores=description.scores,
        verdict=description.verdict,
        max_text_chars=description.max_text_chars,
        plain=frozenset(
            file
            for number, (file, name) in enumerate(files.items(), 1)
            if is_called_text(name) or number in description.plain
        ),
        max_unpacked_bytes=UNPACKED_TIMES * settings.max_archive_bytes,
    )
