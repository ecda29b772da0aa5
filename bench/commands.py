"""The command line of every measurement."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sluice.bench.results import Results

FOLDER = Path("bench-results")
ARCHIVE_HELP = "A CSV with a column text.  [default: one with 31% duplicates, made from the samples]"
CASES, WAYS = ("simulated", "mbert", "archive"), ("redis", "rabbitmq", "local", "celery-batches")
INSTALL = "pip install -e '.[{}]' -c constraints.txt"

Command = Callable[..., Any]


class Numbers(click.ParamType):
    """Comma-separated numbers."""

    name = "numbers"

    def __init__(self, kind: type[int] | type[float]) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(self._kind(part) for part in str(value).split(",") if part.strip())
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers such as 1,16,64", param, ctx)
        if any(number <= 0 for number in numbers):
            self.fail(f"{value!r}: each must be more than 0", param, ctx)
        return numbers


class Names(click.ParamType):
    """Comma-separated names out of those that there are."""

    name = "names"

    def __init__(self, *known: str) -> None:
        self._known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(part.strip() for part in str(value).split(",") if part.strip())
        if not names or (unknown := sorted(set(names) - set(self._known))):
            wrong = ", ".join(unknown) if names else "nothing"
            self.fail(f"{wrong}: choose from {', '.join(self._known)}", param, ctx)
        return names


class Burst(click.ParamType):
    """``RATExSECONDS``, or ``none``."""

    name = "RxS"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float] | None:
        if value is None or isinstance(value, tuple):
            return value
        if value == "none":
            return None
        try:
            rate, seconds = map(float, value.split("x"))
        except ValueError:
            self.fail(f"{value!r} is not RATExSECONDS, such as 1200x10", param, ctx)
        if rate <= 0 or seconds <= 0:
            self.fail(f"{value!r}: both must be more than 0", param, ctx)
        return rate, seconds


def common(command: Command) -> Command:
    """The options that every measurement has."""
    command = click.option("--runs", type=click.IntRange(1), default=3, show_default=True)(command)
    return click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder for the results.  [default: bench-results/ and the measurement's name]",
    )(command)


def over_http(command: Command) -> Command:
    """The options of every measurement that sends texts to a service."""
    command = click.option("--model", help="What the worker serves, as SLUICE_MODEL.  [default: a simulated one]")(
        command
    )
    command = click.option(
        "--set", "given", multiple=True, metavar="NAME=VALUE", help="Any other setting, such as packed=false."
    )(command)
    return click.option(
        "--texts",
        "texts_path",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A CSV with a column text.  [default: the shipped samples]",
    )(command)


def one_broker(command: Command) -> Command:
    return click.option("--broker", type=click.Choice(["redis", "rabbitmq"]), default="redis", show_default=True)(
        command
    )


@click.command()
@common
@over_http
@click.option("--broker", type=click.Choice(["redis", "rabbitmq", "both"]), default="redis", show_default=True)
@click.option("--connections", type=Numbers(int), default="1,16,64,256", show_default=True, help="Of closed loops.")
@click.option(
    "--rates", type=Numbers(float), default="500,1000,2000", show_default=True, help="Of open loops, requests/s."
)
@click.option("--burst", type=Burst(), default="1200x10", show_default=True, help="Rate and seconds, or none.")
@click.option(
    "--job-connections", type=Numbers(int), default="1,8", show_default=True, help="Posting jobs of 64 texts."
)
@click.option("--seconds", type=click.FloatRange(0.5), default=4, show_default=True, help="Of each load.")
def http(out: Path | None, broker: str, **options: Any) -> None:
    """HTTP to model and back: closed loops, jobs, open loops (Poisson), and a burst with the time to clear it."""
    brokers = ("redis", "rabbitmq") if broker == "both" else (broker,)
    _measure("http", out, brokers=brokers, **options)


@click.command()
@common
@over_http
@one_broker
@click.option("--connections", type=click.IntRange(1), default=50, show_default=True)
@click.option("--requests", type=click.IntRange(1), default=500, show_default=True, help="On each connection.")
@click.option("--batching", type=click.Choice(["dynamic", "static"]), default="dynamic", show_default=True)
def sweep(out: Path | None, **options: Any) -> None:
    """Largest batch and longest wait: throughput, p95 and how full batches were, beside batching switched off."""
    _measure("sweep", out, **options)


@click.command()
@common
@over_http
@one_broker
@click.option("--connections", type=click.IntRange(1), default=64, show_default=True, help="Of the closed loop.")
@click.option("--rate", type=click.FloatRange(1), default=200, show_default=True, help="Of the open loop, requests/s.")
@click.option("--seconds", type=click.FloatRange(0.5), default=5, show_default=True, help="Of each load.")
def modes(out: Path | None, **options: Any) -> None:
    """No batching, static batches (N or timeout) and dynamic ones; latency by text length."""
    _measure("modes", out, **options)


@click.command()
@common
@click.option("--connections", type=click.IntRange(1), default=64, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.5), default=4, show_default=True, help="Of each load.")
@click.option("--tasks", type=click.IntRange(1), default=6000, show_default=True, help="In the queue.")
@click.option("--over", type=click.Choice(["http", "queue", "both"]), default="both", show_default=True)
def mechanisms(out: Path | None, **options: Any) -> None:
    """What each mechanism buys: the service with one of them switched off at a time."""
    module = _module("mechanisms", "bench")
    results = _results("mechanisms", out, {}, options=options)
    module.report(module.run(**options), results)
    _tell(results)


@click.command()
@common
@over_http
@one_broker
@click.option("--counts", type=Numbers(int), default="1,10,50,100,200", show_default=True, help="Messages at once.")
@click.option("--workers", type=Numbers(int), default="1,2,4", show_default=True)
def scale(out: Path | None, **options: Any) -> None:
    """1, 2 and 4 workers on one queue: 0.5 s of preparation a message, 0.5 s a batch of 5."""
    _measure("scale", out, **options)


@click.command()
@common
@over_http
@click.option("--connections", type=Numbers(int), default="1,64,256", show_default=True, help="Of closed loops.")
@click.option(
    "--seconds",
    type=click.FloatRange(0.5),
    help="Of each load.  [default: 5; with a real model 4 requests a connection]",
)
@click.option("--contenders", help="Some of them only, by key: sluice,mosec,…")
@click.option("--peer-packed", is_flag=True, help="Give the peers Sluice's packed forward too.")
def peers(out: Path | None, contenders: str | None, model: str | None, **options: Any) -> None:
    """Sluice beside other ways to serve the same model, in turns within each run (docs/peers.md)."""
    if contenders:
        options["contenders"] = tuple(key.strip() for key in contenders.split(",") if key.strip())
    from sluice.bench.service import SIMULATED

    modules = ("peers.measurement", "peers.comparison")
    _measure("peers", out, modules=modules, extra="bench,peers", model=model or SIMULATED, **options)


@click.command()
@common
@click.option("--tasks", type=click.IntRange(2000), default=4000, show_default=True, help="Queued for the fastest.")
def worker(out: Path | None, runs: int, tasks: int) -> None:
    """Queued tasks on Redis and RabbitMQ: one-message tasks and envelopes, beside celery-batches and plain Celery."""
    module, reports = _module("worker", "bench"), _module("queued", "bench")
    results = _results("worker", out, {"model": module.MODEL}, options={"tasks": tasks, "runs": runs})
    reports.report(module.run(tasks=tasks, rounds=runs), results)
    _tell(results)


@click.command()
@common
@click.option("--cases", "names", type=Names(*CASES), default=",".join(CASES), show_default=True)
@click.option("--ways", type=Names(*WAYS), default=",".join(WAYS), show_default=True)
@click.option("--rows", type=click.IntRange(1000), default=60_000, show_default=True, help="For the simulated model.")
@click.option("--mbert-rows", type=click.IntRange(192), default=1_500, show_default=True, help="For mBERT's shape.")
@click.option("--peer-rows", type=click.IntRange(64), default=2_000, show_default=True, help="For celery-batches.")
@click.option("--archive", type=click.Path(exists=True, dir_okay=False, path_type=Path), help=ARCHIVE_HELP)
@click.option("--model", help="In place of the simulated one.")
@click.option(
    "--mbert", type=click.Path(exists=True, file_okay=False, path_type=Path), help="In place of one made here."
)
@click.option("--vocabulary", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="mBERT's vocab.txt.")
def backfill(out: Path | None, runs: int, model: str | None, **options: Any) -> None:
    """Archives end to end: the queue on both brokers, --local and celery-batches, beside the forward alone."""
    module = _module("backfill", "bench")
    from sluice.bench.service import SIMULATED

    options["model"] = model or SIMULATED
    results = _results("backfill", out, {"model": options["model"]}, options={"runs": runs, **options})
    with TemporaryDirectory(prefix="sl-archives-") as folder:
        try:
            cases = module.cases(Path(folder), **options)
        except ValueError as exc:
            raise click.UsageError(str(exc)) from None
        module.report(module.run(cases, runs=runs), results)
    _tell(results)


@click.command()
@click.option("--runs", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder.  [default: bench-results/memory]"
)
@one_broker
@click.option("--rows", type=Numbers(int), default="10000,100000,1000000", show_default=True, help="Of the archives.")
@click.option("--model", help="As SLUICE_MODEL.  [default: a simulated one, 15,000 messages/s]")
def memory(out: Path | None, model: str | None, **options: Any) -> None:
    """Memory of the backfill and of the worker, and what waits in the broker, at 10k, 100k and 1M rows."""
    module = _module("memory", "bench")
    from sluice.bench.service import SIMULATED

    results = _results("memory", out, {"model": model or SIMULATED}, options=options)
    module.report(module.run(model=model or SIMULATED, **options), results)
    _tell(results)


@click.command()
@common
@click.option("--broker", type=click.Choice(["redis", "rabbitmq", "both"]), default="both", show_default=True)
@click.option("--model", type=click.Choice(["fast", "slow", "both"]), default="both", show_default=True)
@click.option(
    "--rate", type=click.FloatRange(0.5), default=15, show_default=True, help="Interactive messages/s, light."
)
@click.option("--seconds", type=click.FloatRange(1), default=20, show_default=True, help="Of each load.")
def lanes(out: Path | None, broker: str, model: str, **options: Any) -> None:
    """A backfill and interactive messages on one worker: latency and rate of each, alone and together."""
    module = _module("lanes", "bench")
    options["brokers"] = module.BROKERS if broker == "both" else (broker,)
    options["models"] = tuple(module.MODELS) if model == "both" else (model,)
    results = _results("lanes", out, {}, options=options, models=module.MODELS)
    module.report(module.run(**options), results)
    _tell(results)


def own_options(name: str, summary: str) -> click.Command:
    """A command whose options are those of ``python -m sluice.bench.NAME``."""

    @click.command(name, add_help_option=False, help=summary, context_settings={"ignore_unknown_options": True})
    @click.argument("options", nargs=-1, type=click.UNPROCESSED)
    def command(options: tuple[str, ...]) -> int:
        given = list(options)
        if not any(option.split("=")[0] == "--out" for option in given):
            given += ["--out", str(FOLDER / name)]
        status: int = _module(name, "bench").main(given)
        return status

    return command


device = own_options("device", "The forward alone: batch sizes, lengths, precisions, packed beside padded.")
backlog = own_options("backlog", "A backlog through the queue, beside the forward alone.")
gpu = own_options("gpu", "Everything that matters on a CUDA machine, in one go.")


def _measure(
    name: str,
    out: Path | None,
    *,
    model: str | None,
    texts_path: Path | None,
    given: tuple[str, ...],
    modules: tuple[str, ...] = (),
    extra: str = "bench",
    **options: Any,
) -> None:
    """Run a measurement over HTTP and report it; ``modules`` that do so, if it is not the one of this name."""
    module, *others = [_module(one, extra) for one in modules or (name,)]
    reports = others[0] if others else module
    from sluice.harness.texts import load

    settings = {**getattr(module, "DEFAULTS", {}), **_settings(given, model)}
    try:
        texts = load(texts_path, distinct=True)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from None
    texts_from = texts_path.name if texts_path else "samples/archive.csv"
    results = _results(name, out, settings, texts=texts_from, options=options)
    reports.report(module.run(texts, **options, **settings), results)
    _tell(results)


def _settings(given: tuple[str, ...], model: str | None) -> dict[str, Any]:
    """The service's settings by field name; raises UsageError for a name that is none."""
    from sluice.config.settings import Settings

    settings: dict[str, Any] = {}
    if model:  # the service runs in the checkout's folder
        settings["model"] = str(Path(model).resolve()) if Path(model).exists() else model
    for pair in given:
        name, equals, value = pair.partition("=")
        field = name.strip().lower().removeprefix("sluice_")
        if not equals or field not in Settings.model_fields:
            raise click.UsageError(f"--set {pair}: not NAME=VALUE of a setting (see `sluice config`)")
        settings[field] = value
    return settings


def _results(name: str, out: Path | None, settings: dict[str, Any], **facts: Any) -> Results:
    from sluice.bench.results import Results

    return Results(out or FOLDER / name, settings, measurement=name, **facts)


def _tell(results: Results) -> None:
    click.echo(f"Written to {results.folder}/: {', '.join(results.files)}")


def _module(name: str, extra: str) -> Any:
    """The module of a measurement; raises ClickException if the extra that it needs is not installed."""
    try:
        return import_module(f"sluice.bench.{name}")
    except ModuleNotFoundError as exc:
        missing = exc.name or ""
        if missing.partition(".")[0] == "sluice":
            raise
        raise click.ClickException(
            f"`sluice bench {name.partition('.')[0]}` needs {missing}: {INSTALL.format(extra)}"
        ) from None
