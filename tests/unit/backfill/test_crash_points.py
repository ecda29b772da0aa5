"""A backfill that dies, or finds the disk full, between two of its steps, more than once."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.backfill import engine
from sluice.backfill.clients.base import IndexedEntries
from sluice.backfill.folder import RunFolder
from sluice.backfill.in_flight_rows import CHUNK_ROWS
from sluice.backfill.report.page.writer import write_report
from sluice.backfill.run.plan import Plan
from sluice.backfill.run.stop import Stop, Stopped
from sluice.backfill.source import Source
from sluice.backfill.table.row import Row
from sluice.tasks.errors import UnwritableOutput
from sluice.tasks.wire.entry import failure, prediction_of
from tests.unit.backfill.fakes import FakeClassifier
from tests.unit.backfill.test_engine import Crash, Quiet, rows_of

ROWS = 40 * CHUNK_ROWS


class Service(FakeClassifier):
    """Answers until ``looks`` are over, and does not run what it, or a service before it, was told to drop."""

    def __init__(self, before: Service | None = None, looks: int = 10**9) -> None:
        super().__init__()
        self.dropped: set[str] = before.dropped if before else set()
        self.names: set[str] = before.names if before else set()
        self.reused: set[str] = set()
        self._looks = looks

    def send(self, envelope_id: str, texts: Sequence[str]) -> None:
        if envelope_id in self.names:
            self.reused.add(envelope_id)
        self.names.add(envelope_id)
        super().send(envelope_id, texts)

    def receive(self, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
        self._looks -= 1
        if not self._looks:
            raise Crash
        revoked = failure(None, "revoked", "cancelled or expired before the model saw it")
        return [
            (one, [(index, revoked if one in self.dropped else entry) for index, entry in answers])
            for one, answers in super().receive(timeout_s)
        ]

    def abandon(self, envelope_ids: Sequence[str]) -> None:
        self.dropped.update(envelope_ids)


class Late(FakeClassifier):
    """Has no answer for who does not wait."""

    def receive(self, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
        return super().receive(timeout_s) if timeout_s else []


@pytest.fixture(autouse=True)
def checkpoints_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CHECKPOINT_S", 0.0)
    monkeypatch.setattr(engine, "SHOW_S", 0.0)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    path = tmp_path / "in.csv"
    path.write_text("id,text\n" + "".join(f"m{number},message {number}\n" for number in range(ROWS)))
    return Plan((str(path),), tmp_path / "out.csv", "csv")


def run(plan: Plan, classifier: FakeClassifier, stop: Stop | None = None) -> engine.BackfillResult:
    return engine.run(plan, classifier, Quiet(), stop or Stop())


def test_what_a_run_gave_up_while_the_disk_was_full_runs_in_the_next_one(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Service(looks=20)
    with pytest.raises(Crash):
        run(plan, first)

    def full(self: RunFolder, checkpoint: object) -> None:
        raise UnwritableOutput("out.csv cannot be written (No space left on device)")

    second = Service(first)
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "save", full)
        with pytest.raises(UnwritableOutput):
            run(plan, second)
    third = Service(second)
    run(plan, third)
    assert {row["error"] for row in rows_of(plan.target)} == {""}
    assert not third.reused


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_no_name_of_an_envelope_is_used_twice(plan: Plan, looks: int) -> None:
    service = Service(looks=20)
    with pytest.raises(Crash):
        run(plan, service)
    for _ in range(3):
        service = Service(service, looks)
        with pytest.raises(Crash):
            run(plan, service)
        assert not service.reused
    service = Service(service)
    run(plan, service)
    assert not service.reused


def test_answers_without_a_checkpoint_are_of_other_options(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(self: RunFolder, checkpoint: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "save", die)
        patch.setattr(RunFolder, "remove_if_unused", lambda self: None)
        patch.setattr(FakeClassifier, "receive", _without_scores)
        with pytest.raises(Crash):
            run(plan, FakeClassifier())
    run(replace(plan, scores=True), FakeClassifier())
    assert {row["score_spam"] for row in rows_of(plan.target)} == {"0.25"}


def _without_scores(self: FakeClassifier, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
    found = list(self.coming)
    self.coming.clear()
    for _, answers in found:
        for _, entry in answers:
            del prediction_of(entry)["scores"]
    return found


def test_notes_of_the_input_outlive_a_crash_after_the_last_row(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Source] = []

    def rows(self: Source) -> Iterator[Row]:
        read.append(self)
        yield from original(self)

    def die(self: RunFolder) -> None:
        raise Crash

    original = Source.rows
    monkeypatch.setattr(Source, "rows", rows)
    monkeypatch.setattr(Source, "notes", property(lambda self: ["in.csv: odd"] if self in read else []))
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "publish", die)
        with pytest.raises(Crash):
            run(plan, FakeClassifier())
    assert run(plan, FakeClassifier()).stats.notes == ["in.csv: odd"]


def test_a_stop_is_heard_while_rows_are_passed_over(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Crash):
        run(plan, Service(looks=35))
    stop = Stop()
    passed: list[Row] = []

    def rows(self: Source) -> Iterator[Row]:
        for row in original(self):
            passed.append(row)
            if len(passed) == CHUNK_ROWS:
                stop._ask(signal.SIGTERM, None)
            yield row

    original = Source.rows
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with monkeypatch.context() as patch:
        patch.setattr(Source, "rows", rows)
        with pytest.raises(Stopped):
            run(plan, FakeClassifier(), stop)
    for number, handler in before.items():
        signal.signal(number, handler)
    assert len(passed) < 4 * CHUNK_ROWS
    run(plan, FakeClassifier())
    assert [row["id"] for row in rows_of(plan.target)] == [f"m{number}" for number in range(ROWS)]


def test_progress_begins_where_the_run_before_was(plan: Plan) -> None:
    with pytest.raises(Crash):
        run(plan, Service(looks=400))
    display = Quiet()
    engine.run(plan, Late(), display, Stop())
    assert display.shares[0] > 0.3


@pytest.mark.slow
def test_drift_and_campaigns_of_a_resumed_run_are_those_of_an_undisturbed_one(tmp_path: Path) -> None:
    """Runs that die ten times; the report is made of the output, so it knows nothing of that but the throughput."""
    source = tmp_path / "dated.csv"
    lines = [
        f"2026-0{1 + number // 1_000}-{1 + number // 40 % 25:02}T10:00:00Z,+44{number % 90},"
        f"parcel {number} for you waits at the depot until friday: https://post{number}.example/{number}\n"
        for number in range(6_000)
    ]
    source.write_text("received_at,sender,text\n" + "".join(lines))
    pages = []
    for name, deaths in (("straight", 0), ("torn", 10)):
        plan = Plan((str(source),), tmp_path / f"{name}.csv", "csv")
        service: Service | None = None
        for _ in range(deaths):
            service = Service(service, looks=30)
            with pytest.raises(Crash):
                run(plan, service)
        result = run(plan, Service(service))
        page = tmp_path / "page.html"
        write_report(page, plan.target, "csv", result.names, result.stats, title="t", include_text=True)
        html = page.read_text()
        pages.append([html[html.index(f"<h2>{title}") :].split("</section>")[0] for title in ("Drift", "Campaigns")])
        assert result.stats.runs == 1 + deaths
    assert pages[0] == pages[1]
    assert "parcel # for you waits" in pages[0][1]
