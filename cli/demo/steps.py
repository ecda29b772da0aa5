"""What the demo shows: predict and wait; submit, then poll; backfill."""

from __future__ import annotations

import csv
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluice.cli.demo.http import Http
from sluice.cli.demo.service import DemoFailed, Service
from sluice.cli.output import LABEL_COLOURS
from sluice.cli.processes import sluice
from sluice.config.paths import ROOT
from sluice.worker.model.labels import LABELS

ARCHIVE = ROOT / "samples" / "archive.csv"
JOB_MESSAGES = 200
JOB_TIMEOUT_S = 60.0
BACKFILL_TIMEOUT_S = 300.0

TEXTS = (
    ("English", "Dinner at eight? I'll bring the dessert"),
    ("English", "Norbank: your card is on hold. Verify now at norbank-secure.example/id"),
    ("Español", "¡Solo hoy! Todo al 70% en larkmart-deals.example. STOP para baja"),
    ("Français", "Votre colis est retenu, réglez 1,99 € sur colis-frais.example"),
    ("Deutsch", "Bin gleich da, stell schon mal Kaffee auf"),
    ("Русский", "Мам, я уже дома, всё хорошо"),
    ("Indonesia", "Selamat! Anda menang Rp 50 juta, isi PIN di hadiah-undian.example"),
    ("ไทย", "ถึงบ้านแล้วนะ พรุ่งนี้เจอกัน"),
    ("中文", "【诺银行】您的账户已冻结，请登录 nuo-bank.example 验证"),
    ("العربية", "الاجتماع غدا الساعة العاشرة في المكتب"),
    ("日本語", "明日の会議は10時からです。よろしくお願いします"),
)


def heading(console: Console, number: int, title: str, call: str) -> None:
    console.print()
    console.print(Text.assemble((f"{number}. {title}", "bold"), ("  " + call, "cyan")))


def predict_and_wait(http: Http, console: Console) -> None:
    """One request a message, each answered at once."""
    heading(console, 1, "Predict and wait", "POST /predict/")
    table = Table(box=None, pad_edge=False, header_style="bold")
    # On a narrow terminal only the texts are cut short.
    for name, width in (("language", 9), ("label", 8)):
        table.add_column(name, no_wrap=True, min_width=width)
    for name, width in (("probability", 11), ("ms", 5)):
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    table.add_column("text", no_wrap=True, overflow="ellipsis")
    for language, text in TEXTS:
        began = time.perf_counter()
        status, answer, _ = http.ask("POST", "/predict/", {"text": text})
        ms = (time.perf_counter() - began) * 1000
        if status != 200 or answer["label"] not in LABELS:
            raise DemoFailed(f"POST /predict/ answered {status}: {answer}")
        table.add_row(
            language, _label(answer["label"]), f"{answer['probability']:.3f}", f"{ms:.1f}", Text(text, style="dim")
        )
    console.print(table)


def submit_then_poll(http: Http, console: Console) -> None:
    """One job of many messages, polled to its end."""
    heading(console, 2, "Submit, then poll", "POST /jobs, GET /jobs/ID, GET /jobs/ID/results")
    with ARCHIVE.open(encoding="utf-8", newline="") as lines:
        rows = [row for row, _ in zip(csv.DictReader(lines), range(JOB_MESSAGES), strict=False)]
    messages = [{"id": row["id"], "text": row["text"]} for row in rows]
    began = time.perf_counter()
    status, job, headers = http.ask("POST", "/jobs", {"messages": messages})
    if status != 202 or "Location" not in headers:
        raise DemoFailed(f"POST /jobs answered {status}: {job}")
    place = headers["Location"]
    console.print(f"{status} {place}  {job['state']}, {job['total']} messages", soft_wrap=True)
    job = _poll(http, place, console)
    seconds = time.perf_counter() - began
    status, page, _ = http.ask("GET", f"{place}/results")
    results = page["results"] if status == 200 else []
    if [one.get("id") for one in results] != [row["id"] for row in rows]:
        raise DemoFailed(f"GET {place}/results answered {status} with {len(results)} of {len(rows)} results")
    counts = Counter(one.get("label", "error") for one in results)
    shown = ", ".join(f"{count} {label}" for label, count in counts.most_common())
    console.print(f"{job['state']} in {seconds:.2f} s: {shown}; for example:")
    for one, row in list(zip(results, rows, strict=True))[:3]:
        text = " ".join(row["text"].split())
        line = Text.assemble(
            "  ", one["id"], "  ", _label(one["label"], 9), f"{one['probability']:.3f}  ", (text, "dim")
        )
        console.print(line, no_wrap=True, overflow="ellipsis")


def _poll(http: Http, place: str, console: Console) -> Any:
    deadline = time.monotonic() + JOB_TIMEOUT_S
    while time.monotonic() < deadline:
        status, job, _ = http.ask("GET", place)
        if status != 200:
            raise DemoFailed(f"GET {place} answered {status}: {job}")
        if job["state"] == "done":
            return job
        if job["state"] in ("failed", "cancelled"):
            raise DemoFailed(f"the job ended as {job['state']}")
        console.print(f"200 {place}  {job['state']}, {job['done']} of {job['total']}", style="dim", soft_wrap=True)
        time.sleep(0.2)
    raise DemoFailed(f"the job was not done after {JOB_TIMEOUT_S:.0f} s")


def backfill_archive(service: Service, folder: Path, console: Console) -> None:
    """The shipped archive, CSV to CSV, with the command that people use."""
    heading(console, 3, "Backfill", "sluice backfill samples/archive.csv -o classified.csv")
    target = folder / "classified.csv"
    command = sluice("backfill", str(ARCHIVE), "-o", target.name)
    try:
        done = subprocess.run(command, cwd=folder, env=service.env, timeout=BACKFILL_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as exc:
        raise DemoFailed(f"the backfill was not done after {BACKFILL_TIMEOUT_S:.0f} s") from exc
    if done.returncode != 0:
        raise DemoFailed(f"sluice backfill ended with exit status {done.returncode}")
    before, after = _rows(ARCHIVE), _rows(target)
    if [row["id"] for row in before] != [row["id"] for row in after]:
        raise DemoFailed(f"{len(before)} rows went in, {len(after)} came out")
    unlabelled = sum(row["label"] not in LABELS for row in after)
    if unlabelled:
        raise DemoFailed(f"{unlabelled} rows got no label")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _label(label: str, width: int = 0) -> Text:
    return Text(f"{label:<{width}}", style=LABEL_COLOURS.get(label, ""))
