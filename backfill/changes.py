"""Whether a run that is carried on has the inputs and options that it was begun with."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from sluice.backfill.checkpoint import Checkpoint
from sluice.backfill.run.facts import Option, Quoted
from sluice.backfill.run.plan import Plan
from sluice.backfill.source import Source
from sluice.tasks.errors import ChangedRun
from sluice.tasks.sentence import Sentence


def options_of(plan: Plan, source: Source) -> dict[str, Any]:
    """What the output depends on besides the inputs, as JSON."""
    return {
        "output format": plan.output_format,
        "scores": plan.scores,
        "verdict": plan.verdict or None,  # as of a run that an earlier release began
        "longest text": plan.max_text_chars,
        **{name.replace("_", " "): value for name, value in asdict(plan.read).items()},
        "columns": [column.name for column in source.columns],
        "types": [str(column.type) for column in source.columns],
    }


def refuse_changes(kept: Checkpoint, now: Checkpoint, folder: Path) -> None:
    """See that the run in ``folder`` was begun with these inputs and options.

    Raises:
        ChangedRun: it was begun with others.
    """
    way_out = Sentence(
        "give what it was begun with, or {restart} to begin anew; its state is in {folder}",
        restart=Option.RESTART,
        folder=folder,
    )
    if len(kept.inputs) != len(now.inputs):
        raise ChangedRun(
            Sentence(
                "this backfill was begun with {before} inputs and now has {after}: {way_out}",
                before=len(kept.inputs),
                after=len(now.inputs),
                way_out=way_out,
            ),
            {"field": "inputs"},
        )
    for old, new in zip(kept.inputs, now.inputs, strict=True):
        if (old["size"], old["sha256"]) != (new["size"], new["sha256"]):
            raise ChangedRun(
                Sentence(
                    "{file} is not what it was when this backfill was begun: {way_out}",
                    file=new["name"],
                    way_out=way_out,
                ),
                {"field": new["name"]},
            )
    for name, value in now.options.items():
        if kept.options.get(name) != value:
            raise ChangedRun(
                Sentence(
                    "this backfill was begun with {option} {before}, now it is {after}: {way_out}",
                    option=name,
                    before=_shown(kept.options.get(name)),
                    after=_shown(value),
                    way_out=way_out,
                ),
                {"field": name},
            )


def _shown(value: Any) -> str | Quoted:
    return "not given" if value is None else Quoted(value)
