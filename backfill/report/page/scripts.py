"""The section on scripts: labels by the script of most letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sluice.backfill.report import plots, scripts
from sluice.backfill.report.findings import Findings
from sluice.backfill.report.page.labels import Labels
from sluice.backfill.report.page.view import CountTable, Nothing, Picture, Section
from sluice.backfill.report.words import percent

#: Scripts in the picture; all are in the table.
DRAWN_SCRIPTS = 12


@dataclass(frozen=True, slots=True)
class Scripts:
    """A bar and a line for each script."""

    template: ClassVar[str] = "scripts.html"
    picture: Picture
    table: CountTable


def by_script(found: Findings, labels: Labels) -> Section:
    if found.by_script is None or not found.by_script.any():
        return Nothing("Language scripts", "No labelled row has a text to look at.")
    total = found.by_script.sum(axis=1)
    order = [at for at in np.argsort(-total, kind="stable").tolist() if total[at]]
    counts = found.by_script[order][:, labels.order]
    names = [scripts.NAMES[at] for at in order]
    parts = ", ".join(
        f"{name} {percent(count, int(total.sum()))}" for name, count in zip(names, total[order].tolist(), strict=True)
    )
    most = f"; the picture has the {DRAWN_SCRIPTS} most frequent" if len(order) > DRAWN_SCRIPTS else ""
    return Scripts(
        labels.picture(
            lambda look: plots.by_script(look, names[:DRAWN_SCRIPTS], counts[:DRAWN_SCRIPTS]),
            f"Stacked bar chart of the share of each label by script. Rows by script: {parts}.",
            f"Shares of labels by the script of most letters of a text{most}. Rows by script: {parts}.",
        ),
        labels.table("Rows by script and label", "Script", names, counts),
    )
