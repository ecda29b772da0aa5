"""`sluice tune`: measures the device, and says what to set for a latency target."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from sluice.worker.engine.batching.advice import Advice
    from sluice.worker.model.base import Classifier
    from sluice.worker.model.calibrate import Cost, Point

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SAMPLE = (
    "ok see you at 8",
    "Your parcel 4711 waits at the depot, please bring this code with you.",
    "Dear customer, your account is limited. Confirm your data at http://bank.example/login or it will be closed today",
    "Happy birthday!! hope you have a lovely day, call me when you are home and we can plan the weekend together",
    "FREE entry: text WIN to 80086 to claim your prize now, 18+ only, std rates apply, reply STOP to end",
)
"""Messages of common lengths, used when no file of real ones is given."""


@click.command(
    epilog="""
Examples:

\b
  sluice tune
  sluice tune --latency 200 --texts messages.txt
  SLUICE_MODEL=my-mbert SLUICE_DEVICE=cuda sluice tune --latency 20
"""
)
@click.option(
    "--latency",
    "latency_ms",
    type=click.FloatRange(1),
    default=50,
    show_default=True,
    metavar="MS",
    help="Wished time (p99) of an interactive message under load, from the broker to its answer.",
)
@click.option(
    "--texts",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Real messages, one a line: how many tokens they have decides how many fit.",
)
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=15, show_default=True, help="Time the measurement may take."
)
def tune(latency_ms: float, texts: Path | None, seconds: float) -> None:
    """Measure the model of the settings on this machine; recommend batch sizes for a latency target.

    Stop the worker first if it runs on the same device: what it computes meanwhile would be measured as cost.
    """
    from sluice.cli.extras import require
    from sluice.cli.output import screen
    from sluice.config.settings import current

    require("worker")
    from sluice.worker.engine.batching.advice import advise
    from sluice.worker.model import threads
    from sluice.worker.model.calibrate import fit_points
    from sluice.worker.model.loader import load

    settings = current()
    classifier = load(settings)
    threads.settle(classifier, settings.model_threads)
    classifier.warm_up(COUNTS[-1])
    lengths = sample_lengths(classifier, texts)
    points = measure(classifier, lengths, seconds)
    cost = fit_points(points)
    console = screen()
    console.print(f"{classifier.info.name} {classifier.info.version} on {classifier.device}, {classifier.precision}")
    print_points(console, points, cost)
    mean = sum(lengths) / len(lengths)
    advice = advise(cost.a_s, cost.b_s, latency_ms / 1000, mean, settings.max_text_length)
    print_advice(console, advice, cost, latency_ms, mean)


def sample_lengths(classifier: Classifier, texts: Path | None) -> list[int]:
    """Tokens of each sample message, ascending."""
    lines = texts.read_text(encoding="utf-8", errors="replace").splitlines() if texts else SAMPLE
    lengths = sorted(map(len, classifier.encode([line for line in lines if line.strip()])))
    if not lengths:
        raise click.ClickException(f"{texts} holds no messages")
    return lengths


def measure(classifier: Classifier, lengths: list[int], seconds: float) -> list[Point]:
    """Batches of growing size, of middling and of full-length messages, while the time lasts; at least three.

    Args:
        lengths: tokens of the sample messages, ascending.
    """
    from sluice.worker.model.calibrate import REPEATS, Point, best_seconds

    longest = classifier.encode([" ".join(SAMPLE) * 20])[0]
    wanted = {lengths[len(lengths) // 2], len(longest)}
    shapes = sorted(((count, length) for count in COUNTS for length in wanted), key=lambda one: one[0] * one[1])
    ends = time.monotonic() + seconds
    points: list[Point] = []
    for count, length in shapes:
        batch = [longest[:length]] * count
        points.append(Point(count, count * length, best_seconds(classifier, batch)))
        if len(points) >= 3 and time.monotonic() + 2 * REPEATS * points[-1].seconds > ends:
            break
    return points


def print_points(console: Console, points: list[Point], cost: Cost) -> None:
    from rich.table import Table

    table = Table("messages", "tokens each", "measured, ms", "fitted, ms", "off by", "messages/s", "tokens/s")
    for column in table.columns:
        column.justify = "right"
    for point in points:
        fitted = cost.seconds(point.tokens)
        table.add_row(
            str(point.messages),
            str(point.tokens // point.messages),
            f"{point.seconds * 1e3:.2f}",
            f"{fitted * 1e3:.2f}",
            f"{fitted / point.seconds - 1:+.0%}",
            f"{point.messages / point.seconds:,.0f}",
            f"{point.tokens / point.seconds:,.0f}",
        )
    console.print(table)
    console.print(f"A batch costs {cost.a_s * 1e3:.2f} ms and {cost.b_s * 1e6:.2f} µs a token.\n")


def print_advice(console: Console, advice: Advice, cost: Cost, latency_ms: float, mean: float) -> None:
    """The settings, ready to paste, each with its reason as a comment."""
    tokens = (
        f"a full batch takes {advice.batch_s * 1e3:.1f} ms, and a message waits for those before its own"
        if advice.limited
        else "from here on a larger batch is hardly faster a token, and everybody behind it waits longer"
    )
    lines = (
        (f"SLUICE_MAX_BATCH_TOKENS={advice.tokens}", tokens),
        (f"SLUICE_MAX_BATCH_SIZE={advice.messages}", f"so many messages of {mean:.0f} tokens fill the tokens"),
        (
            f"SLUICE_BATCH_WAIT_MS={advice.wait_s * 1e3:.1f}",
            f"company saves a message {cost.a_s * 1e3:.1f} ms at most: a longer wait for it never pays",
        ),
    )
    for setting, reason in lines:
        console.print(f"# {reason}", soft_wrap=True)
        console.print(setting, soft_wrap=True)
    console.print(
        f"\nExpect up to {advice.rate:,.0f} messages/s from the model, and an interactive message under load answered"
        f" within {advice.latency_s * 1e3:.0f} ms.",
        soft_wrap=True,
    )
    if not advice.met:
        console.print(
            f"{latency_ms:g} ms cannot be promised on this device: one long message alone takes too long.",
            soft_wrap=True,
        )
