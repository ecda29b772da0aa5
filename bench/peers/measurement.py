"""`sluice bench peers`: Sluice and its peers under the same load, taking turns within every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
import numpy as np

from bench.client import Load, Measured, measure
from bench.peers import together
from bench.peers.contenders import CONTENDERS, Contender, serving
from bench.progress import progress
from bench.service import SIMULATED, Servers
from bench.statistics import Row
from worker.model.simulated import SCHEME

CONNECTIONS = (1, 64, 256)
#: Callers with 64 texts each: a job for Sluice, 64 requests at once for the others.
JOB_CLIENTS = (1, 4)
JOB_TEXTS = 64
ONE_TEXT, JOB = "one text", f"{JOB_TEXTS} texts"
#: A real model on a CPU needs seconds for one batch, so a measurement needs many of them.
SECONDS, WARM_UP_S = 5.0, 3.0
SECONDS_OF_REAL, WARM_UP_S_OF_REAL = 25.0, 12.0
#: Answers that come further apart than this belong to different batches.
APART_S = 0.02


def run(
    texts: Sequence[str],
    *,
    runs: int = 3,
    connections: Sequence[int] = CONNECTIONS,
    job_clients: Sequence[int] | None = None,
    seconds: float | None = None,
    warm_up_s: float | None = None,
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
        seconds: of each load; 5 unless given, 25 with a real model.
        warm_up_s: before each load; 3 unless given, 12 with a real model.
        contenders: keys of ``CONTENDERS``.
        peer_packed: give the peers Sluice's packed forward, which their users would not have.
        model: what all of them serve, as ``SLUICE_MODEL``.
        settings: of all contenders, by field name.

    Returns:
        A row per run, contender, load and number of connections.

    Raises:
        click.ClickException: a contender is unknown, or what it needs is not installed.
        RuntimeError: a contender did not start, or answered some request wrongly.
    """
    chosen = choose(contenders)
    real = not model.startswith(SCHEME)
    seconds = seconds or (SECONDS_OF_REAL if real else SECONDS)
    warm_up_s = (WARM_UP_S_OF_REAL if real else WARM_UP_S) if warm_up_s is None else warm_up_s
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
                        measured = _loaded(contender, url, texts, load, count, seconds, warm_up_s)
                        rows.append(row | measured.row() | {"messages_per_s": messages_per_s(measured)})
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
    contender: Contender, url: str, texts: Sequence[str], load: str, count: int, seconds: float, warm_up_s: float
) -> Measured:
    predict = f"{url}/predict/"
    if load == ONE_TEXT:
        measured = measure(Load(predict, texts, count, seconds, warm_up_s=warm_up_s))
    elif contender.ours:
        wait = (("Prefer", "wait=60"),)
        job = Load(f"{url}/jobs", texts, count, seconds, warm_up_s=warm_up_s, messages=JOB_TEXTS, headers=wait)
        measured = measure(job)
    else:
        singles = Load(predict, texts, count * JOB_TEXTS, seconds, warm_up_s=warm_up_s)
        measured = together.measure(singles, JOB_TEXTS)
    if not len(measured.answered):
        raise RuntimeError(f"{contender.name} answered nothing; {measured.errors}")
    return measured


def messages_per_s(measured: Measured) -> float:
    """The rate of answers; where they come in few large batches, from the end of one batch to the end of another.

    A window of 25 s that holds three or four batches would count a whole batch more or less by chance.
    """
    answered = np.sort(measured.answered)
    gaps = np.diff(answered)
    apart = np.flatnonzero(gaps > APART_S)
    if not len(apart) or gaps[apart].sum() < measured.seconds / 2:
        return measured.messages_per_s
    first = int(apart[0])
    return float(measured.messages * (len(answered) - 1 - first) / (answered[-1] - answered[first]))


def _tell(row: Row) -> None:
    progress(
        f"run {row['run']}  {row['contender']:24} {row['load']:9} {row['connections']:4}"
        f"  {row['messages_per_s']:8,.4g} messages/s  p50 {row['p50_ms']:,.4g} ms  p99 {row['p99_ms']:,.4g} ms"
        + (f"  {row['errors']} errors" if row["errors"] else "")
    )
