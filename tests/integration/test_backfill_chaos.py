"""Whatever is killed while an archive is classified, the output is that of an undisturbed run.

`make chaos-backfill` does the same with more kills and more rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.harness.chaos import SLUICE, Stage, Trial, differences, faults, read_rows, write_archive
from sluice.harness.servers import Missing
from tests.conftest import missing

ROWS = 12_000
#: Each format once, and each kind of kill on both brokers.
TRIALS = {
    "redis": {"csv": {"backfill": 2, "worker": 1}, "sqlite": {"interrupt": 1, "broker": 1}},
    "rabbitmq": {"jsonl": {"backfill": 1, "worker": 1}, "parquet": {"interrupt": 1, "broker": 1}},
}


@pytest.fixture(scope="module", params=list(TRIALS))
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Stage]]:
    try:
        made = Stage(tmp_path_factory.mktemp(request.param), request.param)
    except Missing as exc:
        missing(exc)
    with made:
        yield request.param, made


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive") / "in.csv", ROWS)


@pytest.mark.slow
def test_a_disturbed_backfill_ends_with_the_output_of_an_undisturbed_one(
    stage: tuple[str, Stage], archive: Path, tmp_path: Path
) -> None:
    kind, parts = stage
    clean = Trial(parts, archive, tmp_path / "clean.csv", SLUICE)
    clean.run()
    wanted = read_rows(clean.target)
    assert [row["id"] for row in wanted] == [row["id"] for row in read_rows(archive)]
    for seed, (form, kills) in enumerate(TRIALS[kind].items(), 1):
        disturbed = Trial(parts, archive, tmp_path / f"disturbed.{form}", options=("--window", "512"))
        disturbed.run(faults(seed, ROWS, kills))
        assert len(disturbed.struck) == sum(kills.values()), disturbed.struck
        assert differences(wanted, read_rows(disturbed.target)) == []
        assert disturbed.left_behind == []
