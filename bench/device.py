"""The forward alone, without a queue: packed beside the library's padded one and ONNX Runtime.

``python -m sluice.bench.device [--model FOLDER] [--vocabulary vocab.txt] [--texts FILE.csv] [--runs 3]``

By batch size, order (as messages come, or sorted by length) and precision: messages/s, the share of the machine's
measured matrix peak, and the fitted cost of a batch, ``a + b · tokens``. Contenders take turns within a run. Without
``--model``, a model of mBERT's shape with random weights is made. At the end int8 and single precision are compared on
the shipped model, which is trained: random weights say nothing about labels.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from sluice.bench.flops import Shape, peak_flops, shape_of
from sluice.bench.forwards import Contender, Forward, contenders, same_precision
from sluice.bench.models import mbert_folder
from sluice.bench.progress import progress
from sluice.bench.results import Results, print_table
from sluice.bench.statistics import Row, median, summarise
from sluice.config.paths import ROOT
from sluice.config.settings import SMALL_MODEL, read
from sluice.harness import texts as bench_texts
from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.calibrate import Cost, fit
from sluice.worker.model.loader import load
from sluice.worker.model.torch_classifier import choose_device

SIZES = (1, 8, 32, 64, 256)
ORDERS = ("random", "sorted")
FIGURES = ("messages_per_s", "messages_per_cpu_s", "tokens_per_s", "batch_ms", "padding", "peak_share")


def run(
    texts: Sequence[str],
    *,
    model: Path,
    runs: int = 3,
    device: str = "auto",
    sizes: Sequence[int] = SIZES,
    threads: int = 0,
    with_onnx: bool = True,
    budget_s: float = float("inf"),
    note: Callable[[str], None] = progress,
) -> list[Row]:
    """One row for each run, contender, order and batch size.

    Args:
        texts: as they come; every cell runs over all of them.
        model: a folder with a BERT classifier.
        device: auto, cpu or cuda:N.
        threads: of the CPU; 0 for all cores.
        budget_s: after so many seconds no further cell begins.
        note: told what is left out and why, and how far the run is.

    Returns:
        Rows with `FIGURES`: padding is the share of computed tokens that are padding, peak_share the useful
        arithmetic over the measured peak of a matrix product in single precision (in half precision for fp16, bf16).
    """
    where = choose_device(device)
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    ids = load(read(model=str(model), device=str(where))).encode(list(texts))
    shape = shape_of(model)
    rows: list[Row] = []
    ends = time.monotonic() + budget_s
    with contenders(model, where, max(sizes), with_onnx, note) as all_of_them:
        peaks = {one.precision: peak_flops(where, one.precision) for one in all_of_them}
        for number in range(1, runs + 1):
            for size in sizes:
                for contender in list(all_of_them):
                    if time.monotonic() > ends:
                        note(f"left out: run {number}, batches of {size}, {contender.name}: no time left")
                        continue
                    try:
                        rows += _cells(number, contender, size, ids, shape, peaks[contender.precision], note)
                    except RuntimeError as exc:  # a device that lacks a kernel, or memory
                        note(f"left out: {contender.name}: {str(exc).splitlines()[0][:200]}")
                        all_of_them.remove(contender)
    return rows


def _cells(
    run_number: int,
    contender: Contender,
    size: int,
    ids: Sequence[list[int]],
    shape: Shape,
    peak: float,
    note: Callable[[str], None],
) -> list[Row]:
    """One contender at one batch size, in both orders."""
    rows = []
    for order in ORDERS:
        measured = measure(contender, batches(ids, size, order), shape, warm=run_number == 1)
        measured["peak_share"] = measured.pop("flops_per_s") / peak
        key = {"run": run_number, "contender": contender.name, "precision": contender.precision}
        rows.append({**key, "order": order, "batch": size, **measured})
        rate = f"{measured['messages_per_s']:10,.1f} messages/s"
        note(f"run {run_number}  {contender.name:24} {order:7} batches of {size:4}: {rate}")
    return rows


def batches(ids: Sequence[list[int]], size: int, order: str) -> list[Sequence[list[int]]]:
    """The messages in batches of ``size``, as they come or with neighbours of like length."""
    rows = sorted(ids, key=len) if order == "sorted" else ids
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def measure(contender: Contender, work: Sequence[Sequence[list[int]]], shape: Shape, *, warm: bool) -> Row:
    """One pass over all batches. ``forward`` ends with the answers on the host, so the clock needs no device."""
    if warm:
        contender.forward(work[-1])
        contender.forward(work[0])
    began, cpu_began = time.perf_counter(), time.process_time()
    contender.run(work)
    spent, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    lengths = [len(row) for batch in work for row in batch]
    computed = sum(contender.computed_tokens(batch) for batch in work)
    return {
        "messages_per_s": len(lengths) / spent,
        "messages_per_cpu_s": len(lengths) / max(cpu, 1e-9),
        "tokens_per_s": sum(lengths) / spent,
        "batch_ms": 1000 * spent / len(work),
        "padding": 1 - sum(lengths) / computed,
        "computed_tokens": computed / len(work),
        "flops_per_s": shape.flops(lengths) / spent,
    }


def costs(rows: Sequence[Row]) -> list[Row]:
    """The fitted ``a + b · tokens`` of each contender, over its batches of every size and order."""
    fitted = []
    for name in dict.fromkeys(row["contender"] for row in rows):
        mine = [row for row in rows if row["contender"] == name]
        if len({row["batch"] for row in mine}) < 2:
            continue  # one size says nothing of what is fixed
        cost: Cost = fit([(row["computed_tokens"], row["batch_ms"] / 1000) for row in mine])
        fitted.append({"contender": name, "batch_ms": cost.a_s * 1e3, "token_us": cost.b_s * 1e6})
    return fitted


def agreement(first: Forward, second: Forward, ids: Sequence[list[int]], size: int = 64) -> Row:
    """How far two forwards' answers to the same messages differ."""
    ours, theirs = (
        [row for start in range(0, len(ids), size) for row in one(ids[start : start + size])] for one in (first, second)
    )
    same = sum(a.index(max(a)) == b.index(max(b)) for a, b in zip(ours, theirs, strict=True))
    worst = max(abs(x - y) for a, b in zip(ours, theirs, strict=True) for x, y in zip(a, b, strict=True))
    return {"messages": len(ids), "labels_agree": same / len(ids), "largest_difference": worst}


def agreements(
    wanted: Sequence[str],
    note: Callable[[str], None],
    device: str = "auto",
    model: Path = SMALL_MODEL,
    texts: Sequence[str] | None = None,
) -> list[Row]:
    """Each precision beside single precision; on the shipped model and the sample archive unless given."""
    single = load(read(model=str(model), device=device, precision="fp32"))
    ids = single.encode(list(texts or bench_texts.load()))
    rows = []
    for precision in wanted:
        try:
            other = load(read(model=str(model), device=device, precision=precision))
        except (ModelUnavailable, ValueError) as exc:
            note(f"left out: agreement of {precision}: {exc}")
            continue
        if not same_precision(other.precision, precision):
            note(f"left out: agreement of {precision}: {other.precision} runs instead")
            continue
        other.warm_up(64)
        rows.append({"model": model.name, "precision": precision, **agreement(other.forward, single.forward, ids)})
    return rows


RATIOS = (
    ("packed over transformers' padded, fp32", "packed fp32", "transformers fp32", 3.0),
    ("packed int8 over packed fp32", "packed int8", "packed fp32", 2.0),
    ("packed over ONNX Runtime, fp32", "packed fp32", "ONNX Runtime fp32", None),
    ("packed over ONNX Runtime, int8", "packed int8", "ONNX Runtime int8", None),
    ("packed over transformers' padded, fp16", "packed fp16", "transformers fp16", None),
    ("packed fp16 over packed fp32", "packed fp16", "packed fp32", None),
    ("CUDA graphs over launch by launch, fp16", "packed fp16", "packed fp16, no graphs", None),
    ("the next batch submitted ahead over one by one, fp16", "packed fp16, ahead", "packed fp16", None),
)


def ratios(rows: Sequence[Row]) -> list[Row]:
    """How contenders compare in messages/s, by batch size, in random order.

    ``of_medians`` is what the promises are about. ``of_cpu`` compares medians by the processor time taken, which other
    work on the machine disturbs less (with one thread; more threads wait for each other, busily).
    """
    found = []
    for title, ours, theirs, target in RATIOS:
        for batch in dict.fromkeys(row["batch"] for row in rows):
            above, below = (
                [row for row in rows if (row["contender"], row["order"], row["batch"]) == (name, "random", batch)]
                for name in (ours, theirs)
            )
            if above and below:
                line: Row = {"ratio": title, "batch": batch}
                for column, figure in (("of_medians", "messages_per_s"), ("of_cpu", "messages_per_cpu_s")):
                    line[column] = median(row[figure] for row in above) / median(row[figure] for row in below)
                found.append({**line, "target": target if batch == 64 else None})
    return found


def plot(results: Results, summary: Sequence[Row]) -> None:
    from sluice.bench import plots

    random = [row for row in summary if row["order"] == "random"]
    series = {
        name: [row for row in random if row["contender"] == name]
        for name in dict.fromkeys(row["contender"] for row in random)
    }
    figure, axes = plots.canvas(
        "The forward alone, messages in random order", "messages in a batch", "messages/s", results.stamp
    )
    plots.lines(axes, series, "batch", "messages_per_s")
    axes.set_xscale("log", base=2)
    plots.plain_numbers(axes.xaxis)
    axes.set_xticks(sorted({row["batch"] for row in random}))
    axes.set_ylim(bottom=0)
    results.figure("device_by_batch", figure)
    middle = 64 if any(row["batch"] == 64 for row in summary) else summary[-1]["batch"]
    at = [row for row in summary if row["batch"] == middle]
    figure, axes = plots.canvas(f"Batches of {middle}, by contender and order", "", "messages/s", results.stamp)
    names = [f"{row['contender'].replace(', ', chr(10)).replace(' ', chr(10))}\n{row['order']}" for row in at]
    plots.bars(axes, names, at, "messages_per_s")
    axes.tick_params(axis="x", labelsize=7.5)
    results.figure("device_orders", figure)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sluice.bench.device", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a folder with a BERT classifier; default: mBERT's shape, made here")
    parser.add_argument("--vocabulary", type=Path, help="mBERT's vocab.txt, for real token counts")
    parser.add_argument("--texts", type=Path, help="a CSV with a column text")
    parser.add_argument("--messages", type=int, default=0, help="in each cell; 0: 128 on a CPU, 8,192 on CUDA")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-onnx", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("bench-results/device"))
    return parser.parse_args(argv)


def report(rows: Sequence[Row], results: Results, agreed: Sequence[Row] = ()) -> None:
    """Write and print everything: the runs, medians, costs, ratios, agreement, plots."""
    summary = summarise(rows, ["contender", "precision", "order", "batch"], FIGURES)
    cost, ratio = costs(rows), ratios(rows)
    for name, table in (("device", rows), ("device_summary", summary), ("cost", cost), ("ratios", ratio)):
        results.table(name, table)
    print_table("The forward alone", summary, ["contender", "order", "batch", *FIGURES])
    if cost:
        print_table("Cost of a batch: a + b · computed tokens", cost)
    if ratio:
        print_table("Ratios of medians", ratio)
    if agreed:
        results.table("agreement", agreed)
        print_table("Labels beside single precision", agreed)
    plot(results, summary)


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    cuda = choose_device(options.device).type == "cuda"
    model = options.model or mbert_folder(ROOT / "build" / "mbert", vocabulary=options.vocabulary)
    count = options.messages or (8192 if cuda else 128)
    note = Notes()
    results = Results(
        options.out,
        {"model": str(model), "device": options.device},
        measurement="device",
        texts=options.texts.name if options.texts else "samples/archive.csv",
        threads=options.threads or "all",
    )
    rows = run(
        bench_texts.load(options.texts, count=max(count, *options.sizes)),
        model=model,
        runs=options.runs,
        device=options.device,
        sizes=options.sizes,
        threads=options.threads,
        with_onnx=not options.no_onnx,
        note=note,
    )
    report(rows, results, agreements(("fp16", "bf16") if cuda else ("int8",), note, options.device))
    results.note(left_out=note.left_out)
    return 0


class Notes:
    """Prints what a measurement says, and remembers what it left out."""

    def __init__(self) -> None:
        self.left_out: list[str] = []

    def __call__(self, line: str) -> None:
        progress(line)
        if line.startswith("left out: "):
            self.left_out.append(line.removeprefix("left out: "))


if __name__ == "__main__":
    raise SystemExit(main())
