"""What a backfill remembers of its earlier runs."""

from __future__ import annotations

import json
import time

from sluice.backfill.run.stats import RunStats
from sluice.tasks.wire.entry import failure, prediction


def test_a_later_run_goes_on_from_what_the_earlier_ones_counted() -> None:
    first = RunStats()
    first.add([prediction(None, "spam", 0.9, "sms-mini", "1"), failure(None, "invalid_input", "the text is empty")])
    first.sent, first.saved = 1, 1
    first.earlier_s = 100.0
    first.sample()
    second = RunStats.carried_on(json.loads(json.dumps(first.as_json())))
    assert (second.labels, second.errors) == ({"spam": 1}, {"invalid_input": 1})
    assert (second.rows, second.sent, second.saved, second.runs) == (2, 1, 1, 2)
    assert second.seconds >= 100
    third = RunStats.carried_on(json.loads(json.dumps(second.as_json())))
    assert third.runs == 3
    assert third.restarts[0] >= third.samples[0][0] >= 100
    assert third.restarts == sorted(third.restarts)
    assert len(third.restarts) == 2


def test_a_stopped_clock_stands_still() -> None:
    stats = RunStats(started=time.monotonic() - 10)
    stats.stop()
    seconds = stats.seconds
    assert 10 <= seconds < 20
    time.sleep(0.01)
    assert stats.seconds == seconds
