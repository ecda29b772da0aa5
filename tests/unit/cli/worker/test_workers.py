"""``sluice worker --processes``: several workers from one command, each with its name and its devices."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from sluice.cli import embedded
from sluice.cli.parts.part import Part
from sluice.cli.processes import environment, sluice
from sluice.cli.worker import devices, workers
from sluice.config.settings import read
from sluice.harness.process import Child, wait_for
from sluice.tasks.client import Client
from sluice.tasks.errors import SluiceError
from tests.unit.cli.conftest import MODEL, Run, children, wait_until_gone

FAKE_TORCH = "class cuda:\n    @staticmethod\n    def device_count():\n        return {count}\n"


@pytest.fixture
def cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with three CUDA devices, as far as a process that asks torch can tell."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    module = tmp_path / "torch.py"
    module.write_text(FAKE_TORCH.format(count=3))
    return module


def test_each_device_gets_a_process(cuda: Path) -> None:
    parts = workers.make_parts(read(), 0, ["--loglevel", "error"])
    assert [part.name for part in parts] == ["worker-0", "worker-1", "worker-2"]
    assert [part.env["CUDA_VISIBLE_DEVICES"] for part in parts] == ["0", "1", "2"]
    assert [part.command[-3:] for part in parts] == [["worker", "--loglevel", "error"]] * 3


def test_more_processes_than_devices_share_them(cuda: Path) -> None:
    parts = workers.make_parts(read(), 4)
    assert [part.env["CUDA_VISIBLE_DEVICES"] for part in parts] == ["0", "1", "2", "0"]


def test_devices_are_passed_on_by_the_names_that_the_user_gave(cuda: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aa, 5")
    cuda.write_text(FAKE_TORCH.format(count=2))
    assert devices.find(read()) == ["GPU-aa", "5"]


def test_a_device_that_was_named_is_shared(cuda: Path) -> None:
    assert devices.find(read(device="cuda:1")) == []
    assert [dict(part.env) for part in workers.make_parts(read(device="cuda:1", model_threads=3), 2)] == [{}, {}]


def test_without_cuda_auto_is_one_process_and_several_share_the_cores(cuda: Path) -> None:
    cuda.write_text(FAKE_TORCH.format(count=0))
    (alone,) = workers.make_parts(read(), 0)
    assert (alone.name, dict(alone.env)) == ("worker", {})
    assert "--hostname" not in alone.command
    cores = len(os.sched_getaffinity(0))
    for part in workers.make_parts(read(), 2):
        assert part.env == {"SLUICE_MODEL_THREADS": str(max(1, cores // 2))}


def test_devices_that_cannot_be_counted_are_said(cuda: Path) -> None:
    cuda.write_text("raise OSError('the driver is broken')")
    with pytest.raises(SluiceError, match="--processes 1"):
        workers.make_parts(read(), 0)


@pytest.mark.parametrize("wrong", ["0", "-1", "many", ""])
def test_a_wrong_number_is_refused(run: Run, wrong: str) -> None:
    done = run("worker", "--processes", wrong)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_one_that_ends_stops_the_others_and_gives_its_status() -> None:
    lives = Part("worker-0", [sys.executable, "-c", "import time; time.sleep(60)"])
    fails = Part("worker-1", [sys.executable, "-c", "raise SystemExit(78)"])
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert workers.serve([lives, fails]) == 78
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert lives.status == -signal.SIGTERM


@pytest.mark.server
def test_two_processes_share_a_queue_and_stop_together(state_dir: Path) -> None:
    settings = read(state_dir=state_dir, model=MODEL)
    redis = embedded.start(settings)
    assert redis is not None
    env = environment(
        SLUICE_STATE_DIR=str(state_dir), SLUICE_MODEL="simulated:?batch_ms=50&message_us=20", SLUICE_MAX_BATCH_SIZE="8"
    )
    command = sluice("worker", "--processes", "2")
    child = Child(command, state_dir / "workers.log", env)
    try:
        wait_for(lambda: child.output().count(" ready.") == 2, "both workers")
        with Client(settings) as client:
            wait_for(lambda: len(working(client)) == 2, "batches of both workers")
        below = children(child.pid)
        assert child.stop(signal.SIGTERM) == 0
        wait_until_gone(below)
        assert child.output().count("drained: ") == 2
        assert "was killed" not in child.output()
    finally:
        child.stop()
        embedded.stop(redis)


def working(client: Client) -> set[str]:
    """The workers that have classified something; sends one more message."""
    client.publish(["see you at the station"], lane="bulk", envelope_id=uuid4().hex)
    return {one.hostname.partition("@")[0] for one in client.workers() if one.counters.batches}
