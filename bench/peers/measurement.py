"""`sluice bench peers`: Sluice and its peers under the same load, taking turns within every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from sluice.bench.client import Load, Measured, measure
from sluice.bench.peers import together
from sluice.bench.peers.contenders import CONTENDERS, Contender, serving
from sluice.bench.progress import progress
from sluice.bench.service import SIMULATED, Servers
from sluice.bench.statistics import Row
from sluice.worker.model.simulated import SCHEME

CONNECTIONS = (1, 64, 256)
#: Callers with 64 texts each: a job for Sluice, 64 requests at once for the others.
JOB_CLIENTS = (1, 4)
JOB_TEXTS = 64
ONE_TEXT, JOB = "one text", f"{JOB_TEXTS} texts"
SECONDS, WARM_UP_S = 5.0, 2.0
#: A real model on a CPU takes seconds for one batch. A fixed time would count a whole batch more or less by chance, so
#: every connection then sends a fixed number of requests.
REQUESTS_TO_REAL = 4
ONCE = {"requests": 1, "warm_up_s": 0}


def run(
    texts: Sequence[str],
    *,
    runs: int = 3,
    connections: Sequence[int] = CONNECTIONS,
    job_clients: Sequence[int] | None = None,
    seconds: float | None = None,
    requests: int | None = None,
    contenders: Sequence[str] = tuple(CONTENDERS),
    peer_packed: bool = False,
    model: str = SIMULATED,
    **settings: Any,
) -> list[Row]:
    """Start each contender in turn, load it, stop it; then the next run.

    Args:
        connections: closed loops of one text a request.
        job_clients: callers with 64 texts each, who wait for all the answers before they go on: a job for Sluice, 64
            requests at once for the others. Unless given, these are measured with a simulated model only.
        seconds: of each load, after 2 s that are not counted; 5 unless given.
        requests: that each connection sends, in place of ``seconds``, after one that is not counted. Unless either is
            given, 4 with a real model.
        contenders: keys of ``CONTENDERS``.
        peer_packed: give the peers Sluice's packed forward, which their users would not have.
        model: what all of them serve, as ``SLUICE_MODEL``.
        settings: of all contenders, by field name.

    Returns:
        A row per run, contender, load and number of connections.

    Raises:
        click.ClickException: a contender is unknown, or what it needs is not installed.
        RuntimeError: a contender did not start, or gave no good answer. Single failures are counted in ``errors``.
    """
    chosen = choose(contenders)
    real = not model.startswith(SCHEME)
    if requests is None and seconds is None and real:
        requests = REQUESTS_TO_REAL
    length: dict[str, Any] = {"seconds": seconds or SECONDS, "warm_up_s": WARM_UP_S}
    if requests:
        length = {**ONCE, "requests": requests}
    if job_clients is None:
        job_clients = () if real else JOB_CLIENTS
    loads = [(ONE_TEXT, count) for count in connections] + [(JOB, count) for count in job_clients]
    rows: list[Row] = []
    with Servers(*{contender.broker for contender in chosen}) as servers:
        for turn in range(1, runs + 1):
            for contender in chosen:
                given = settings_for(contender, {"model": model, **settings}, peer_packed)
                with serving(contender, servers, given) as url:
                    for load, count in loads:
                        row = {"run": turn, "key": contender.key, "contender": contender.name, "load": load}
                        row |= {"connections": count, "in_flight": count * (JOB_TEXTS if load == JOB else 1)}
                        if requests:
                            _loaded(contender, url, texts, load, count, ONCE)
                        rows.append(row | _loaded(contender, url, texts, load, count, length).row())
                        _tell(rows[-1])
    return rows


def choose(keys: Sequence[str]) -> list[Contender]:
    """The contenders, in the order asked for.

    Raises:
        click.ClickException: one is unknown, or needs a module that is not installed.
    """
    unknown = [key for key in keys if key not in CONTENDERS]
    if unknown:
        raise click.ClickException(f"no such contender: {', '.join(unknown)}; there are {', '.join(CONTENDERS)}")
    chosen = [CONTENDERS[key] for key in keys]
    missing = sorted({name for contender in chosen for name in contender.missing})
    if missing:
        install = "pip install -e '.[bench,peers]' -c constraints.txt"
        raise click.ClickException(f"the peers need {', '.join(missing)}: {install}")
    return chosen


def settings_for(contender: Contender, settings: Mapping[str, Any], peer_packed: bool) -> dict[str, Any]:
    """The same weights in the same precision for all; peers run them as transformers does, padded."""
    given = {"precision": "fp32", **settings}
    if not contender.ours:
        given["packed"] = peer_packed
    return given


def _loaded(
    contender: Contender, url: str, texts: Sequence[str], load: str, count: int, length: Mapping[str, Any]
) -> Measured:
    predict = f"{url}/predict/"
    if load == ONE_TEXT:
        measured = measure(Load(predict, texts, count, **length))
    elif contender.ours:
        wait = (("Prefer", "wait=60"),)
        measured = measure(Load(f"{url}/jobs", texts, count, messages=JOB_TEXTS, headers=wait, **length))
    else:
        measured = together.measure(Load(predict, texts, count * JOB_TEXTS, **length), JOB_TEXTS)
    if not len(measured.answered):
        raise RuntimeError(f"{contender.name} answered nothing; {measured.errors}")
    return measured


def _tell(row: Row) -> None:
    progress(
        f"run {row['run']}  {row['contender']:24} {row['load']:9} {row['connections']:4}"
        f"  {row['messages_per_s']:8,.4g} messages/s  p50 {row['p50_ms']:,.4g} ms  p99 {row['p99_ms']:,.4g} ms"
        + (f"  {row['errors']} errors" if row["errors"] else "")
    )
