"""The folder that `sluice evaluate` writes: metrics.json, the table as Markdown and CSV, and the pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sluice.training.card import markdown_table, write_json
from sluice.training.curves import Roc, reliability, roc, roc_by_language
from sluice.training.intervals import Estimate, as_json
from sluice.training.measures import BY_LABEL, BY_VERDICT, MEASURES
from sluice.training.plots import save_confusion, save_reliability, save_roc
from sluice.training.predictions import joined
from sluice.training.results import Comparison, PoolResult
from sluice.training.scores import rounded
from sluice.training.tables import NOTHING, figure, span

ALL = "all"
"""Stands for a whole pool where a language is named."""


def write_report(
    folder: Path,
    model: Mapping[str, Any],
    settings: Mapping[str, Any],
    results: Sequence[PoolResult],
    comparison: Mapping[str, Any] | None = None,
    disguised: Mapping[str, Estimate] | None = None,
) -> list[str]:
    """Writes the files into `folder`, which is made; returns their names.

    Args:
        model: its name, version and files.
        comparison: with another model, as `comparison_json` makes it.
        disguised: what stays blocked, by style.
    """
    folder.mkdir(parents=True, exist_ok=True)
    title = f"{model['name']} {model['version']}"
    pools = {one.pool.name: rounded(_pool_json(one)) for one in results}
    facts: dict[str, Any] = {"model": model, "settings": settings, "pools": pools}
    if comparison is not None:
        facts["against"] = comparison
    if disguised:
        facts["disguised"] = as_json(disguised)
    names = ["table.md", "table.csv", *_pictures(folder, title, results, facts)]
    (folder / "table.md").write_text("\n".join(_markdown(title, results)) + "\n", encoding="utf-8")
    (folder / "table.csv").write_text(_csv(results), encoding="utf-8", newline="")
    write_json(folder / "metrics.json", facts)
    return ["metrics.json", *names]


def comparison_json(model: Mapping[str, Any], comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Another model, and what the comparison with it came to by pool."""
    pools = {
        one.pool.name: {
            "differences": as_json(one.differences),
            "fixed": one.fixed,
            "broken": one.broken,
            "mcnemar_exact_p": float(f"{one.p_value:.3g}"),
            "changes": [asdict(change) for change in one.changes],
        }
        for one in comparisons
    }
    return {"model": model, "pools": pools}


def _pool_json(result: PoolResult) -> dict[str, Any]:
    scores = asdict(result.scores)
    return {
        "file": result.pool.file,
        "sha256": result.pool.sha256,
        "messages": result.scores.messages,
        "measures": as_json(result.estimates),
        "languages": {name: as_json(found) for name, found in result.languages.items()},
        **{name: scores[name] for name in ("classes", "sources", "confusion")},
        "reliability": [asdict(one) for one in reliability(result.predictions)],
    }


def _pictures(folder: Path, title: str, results: Sequence[PoolResult], facts: dict[str, Any]) -> Iterator[str]:
    """Draws; adds to `facts` what the ROC by language rests on."""
    bins = {one.pool.name: (reliability(one.predictions), one.estimates["ece"].value) for one in results}
    save_reliability(bins, folder / "reliability.png", title)
    yield "reliability.png"
    for one in results:
        name = f"confusion-{one.pool.name}.png"
        save_confusion(one.scores, folder / name, f"{title} on {one.pool.name}")
        yield name
    everything = joined([one.predictions for one in results])
    overall = roc(everything)
    languages, left_out = roc_by_language(everything) if overall else ({}, [])
    facts["roc"] = {
        "areas": {name: _area(one) for name, one in ({ALL: overall} | languages).items() if one},
        "too_few_messages": left_out,
    }
    if overall:
        save_roc(overall, languages, folder / "roc.png", title, len(left_out))
        yield "roc.png"


def _area(one: Roc) -> dict[str, Any]:
    return {"area": round(one.area, 4), "ham": one.ham, "bad": one.bad}


def _markdown(title: str, results: Sequence[PoolResult]) -> Iterator[str]:
    yield f"# {title}"
    tables = (("By the most likely label", BY_LABEL), ("At the thresholds of sluice.json", BY_VERDICT))
    for heading, names in tables:
        shown = [name for name in names if any(name in one.estimates for one in results)]
        if not shown:
            continue
        yield from ("", f"## {heading}", "", "With 95% intervals.", "")
        rows = [[one.pool.name, f"{one.scores.messages:,}", *_shown(one.estimates, shown)] for one in results]
        yield from markdown_table(["pool", "messages", *(MEASURES[name].title for name in shown)], rows)
        for one in results:
            if not one.languages:
                continue
            yield from ("", f"### {one.pool.name}, by language", "")
            rows = [[name, f"{found['accuracy'].of:,}", *_shown(found, shown)] for name, found in one.languages.items()]
            yield from markdown_table(["language", "messages", *(MEASURES[name].title for name in shown)], rows)


def _shown(found: Mapping[str, Estimate], names: Sequence[str]) -> list[str]:
    return [
        f"{figure(name, found[name].value)} ({span(name, found[name])})" if name in found else NOTHING for name in names
    ]


def _csv(results: Sequence[PoolResult]) -> str:
    """One row for each pool, language and measure."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["pool", "language", "measure", "value", "low", "high", "of"])
    for one in results:
        for language, found in ({ALL: one.estimates} | one.languages).items():
            writer.writerows(
                [one.pool.name, language, name, *estimate.as_dict().values()] for name, estimate in found.items()
            )
    return text.getvalue()
