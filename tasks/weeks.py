"""What each version of a model answered in each ISO week (UTC): figures in which drift shows. No text is in them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

import redis

from sluice.tasks import keys

#: Weeks after which the figures of one are forgotten.
KEPT_WEEKS = 26
#: Most figures that are kept, of a version and a week each: whoever changes the model every hour loses the oldest.
MOST = 200
#: In the hash: messages by label have this before the label, the sum of probabilities is in millionths.
LABEL, CONFIDENCE, UNIT = "label:", "confidence", 1_000_000


class Means(TypedDict):
    """Counts and what they come to: the mean probability of the labels given, and the share of unknown pieces."""

    messages: int
    labels: dict[str, int]
    mean_confidence: float | None
    pieces: int
    unknown_pieces: int
    unknown_share: float | None


class WeekFigures(Means):
    """What one version of a model answered in one ISO week."""

    week: str
    model: str
    version: str


def week_of(seconds: float) -> tuple[str, int]:
    """The ISO week of a time since 1970, such as ``2026-W49``, and its Monday in seconds since 1970."""
    day = datetime.fromtimestamp(seconds, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    year, week, weekday = day.isocalendar()
    return f"{year}-W{week:02}", int((day - timedelta(days=weekday - 1)).timestamp())


def read(client: redis.Redis, ask: Callable[..., Any]) -> list[WeekFigures]:
    """The figures of all weeks that are kept, the latest first.

    Args:
        ask: calls what it is given with the arguments after that, and turns an outage into an error of ours.
    """
    names = ask(client.zrevrange, keys.WEEKS, 0, MOST - 1)
    if not names:
        return []
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(name)
    return [_figures(found) for found in ask(pipe.execute) if found]


def _figures(found: dict[bytes, bytes]) -> WeekFigures:
    fields = {name.decode(): value.decode() for name, value in found.items()}
    counts = {name: int(fields.get(name, 0)) for name in ("messages", CONFIDENCE, "pieces", "unknown_pieces")}
    labels = {name.removeprefix(LABEL): int(count) for name, count in fields.items() if name.startswith(LABEL)}
    return {
        "week": fields.get("week", ""),
        "model": fields.get("model", ""),
        "version": fields.get("version", ""),
        **means(counts["messages"], labels, counts[CONFIDENCE] / UNIT, counts["pieces"], counts["unknown_pieces"]),
    }


def means(messages: int, labels: dict[str, int], confidence: float, pieces: int, unknown: int) -> Means:
    """What these counts come to."""
    return {
        "messages": messages,
        "labels": dict(sorted(labels.items())),
        "mean_confidence": round(confidence / messages, 4) if messages else None,
        "pieces": pieces,
        "unknown_pieces": unknown,
        "unknown_share": round(unknown / pieces, 6) if pieces else None,
    }
