"""What `sluice backfill` says at its end."""

from __future__ import annotations

import pytest

from sluice.backfill.run.stats import RunStats
from sluice.cli.backfill.terminal_display import print_summary
from sluice.tasks.wire.entry import prediction


def test_rows_of_several_models_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    stats = RunStats()
    stats.add([prediction(None, "ham", 0.9, "sms-mini", "1.0")] * 3)
    print_summary(stats, "out.csv")
    assert "more than one model" not in capsys.readouterr().out
    stats.add([prediction(None, "spam", 0.9, "sms-mini", "2.0")] * 2)
    print_summary(stats, "out.csv")
    assert "sms-mini 1.0 3, sms-mini 2.0 2" in capsys.readouterr().out
