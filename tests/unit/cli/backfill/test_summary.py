"""What `sluice backfill` says at its end."""

from __future__ import annotations

import pytest

from sluice.backfill.tally import Tally
from sluice.cli.backfill.progress import print_summary
from sluice.tasks.wire.entry import prediction


def test_rows_of_several_models_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    tally.add([prediction(None, "ham", 0.9, "sms-mini", "1.0")] * 3)
    print_summary(tally, "out.csv")
    assert "more than one model" not in capsys.readouterr().out
    tally.add([prediction(None, "spam", 0.9, "sms-mini", "2.0")] * 2)
    print_summary(tally, "out.csv")
    assert "sms-mini 1.0 3, sms-mini 2.0 2" in capsys.readouterr().out
