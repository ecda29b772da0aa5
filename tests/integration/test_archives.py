"""Archives over HTTP with a real web process, a real worker and real runners, some of which are killed."""

from __future__ import annotations

import csv
import http.client
import io
import json
import os
import select
import signal
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sluice.harness.process import wait_for
from sluice.harness.servers import RedisServer
from sluice.harness.web import Reply, Web
from sluice.harness.worker import Worker, environment, flush
from tests.conftest import Brokers

#: Nobody but the caller may ever see it.
MARKER = "QUAGGA"
ADDED = ("label", "probability", "model", "version", "error")
SLOW = "simulated:?batch_ms=60&message_us=20"


def rows(count: int) -> list[dict[str, str]]:
    """Rows with texts of which every seventh has come before, and one that is blank."""
    return [
        {"id": str(i), "sender": "+447700900123", "text": f"{MARKER} {i % (count * 6 // 7)}" if i != 5 else " "}
        for i in range(count)
    ]


def as_csv(table: list[dict[str, str]]) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(table[0]))
    writer.writeheader()
    writer.writerows(table)
    return file.getvalue().encode()


def as_jsonl(table: list[dict[str, str]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in table)


def form(content: bytes, **fields: str) -> bytes:
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    head = '--b\r\nContent-Disposition: form-data; name="file"; filename="sms.csv"\r\n\r\n'
    return "".join(parts).encode() + head.encode() + content + b"\r\n--b--\r\n"


def upload(front: Web, content: bytes, **fields: str) -> Reply:
    return front.ask("POST", "/archives", form(content, **fields), Content_Type="multipart/form-data; boundary=b")


def job(front: Web, reply: Reply) -> dict[str, Any]:
    found: dict[str, Any] = front.ask("GET", reply.headers["location"]).json
    return found


def when(front: Web, reply: Reply, state: str, rows_done: int = 0) -> dict[str, Any]:
    """The job, as soon as it is in ``state`` with so many rows done."""
    assert reply.status == 202, reply.body

    def there() -> bool:
        now = job(front, reply)
        assert now["state"] != "failed" or state == "failed", now
        return now["state"] == state and now["done"] >= rows_done

    wait_for(there, f"{state} with {rows_done} rows", 60, 0.1)
    return job(front, reply)


def children(pid: int) -> list[int]:
    """Processes that ``pid`` started."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def runners(front: Web) -> list[int]:
    """The processes that classify, which the server process started, which ``front`` started."""
    (server,) = children(front.pid)
    return [pid for pid in children(server) if b"sluice.backfill.archive" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def runner(front: Web) -> int:
    (pid,) = runners(front)
    return pid


def texts_and_labels(content: bytes) -> list[tuple[str, str, str]]:
    return [(row["id"], row["text"], row["label"]) for row in csv.DictReader(io.StringIO(content.decode()))]


Service = tuple[Web, dict[str, str]]


def served(env: dict[str, str], folder: Path) -> Iterator[Service]:
    """A web process and a worker; at the end, what they logged is looked at."""
    worker, front = Worker(folder, env).ready(), Web(folder, env).ready()
    yield front, env
    front.stop()
    worker.stop()
    for process in (front, worker):
        assert MARKER not in process.output()
        assert "Traceback" not in process.output()


@pytest.fixture
def service(brokers: Brokers, folder: Path) -> Iterator[Service]:
    """A service on either broker."""
    yield from served(brokers.env(archive_dir=folder / "archives", model=SLOW), folder)


@pytest.fixture(scope="module")
def shared(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Web, Path]]:
    """A service that lives through several tests, and the folder of its archives."""
    folder = tmp_path_factory.mktemp("shared")
    archives = folder / "archives"
    url = redis_server.url.removesuffix("/0") + "/5"  # other tests empty database 0, and have workers on it
    env = environment(
        url,
        url,
        archive_dir=archives,
        model=SLOW,
        max_archive_bytes=2_000_000,
        web_threads=8,
    )
    for front, _ in served(env, folder):
        yield front, archives


@pytest.fixture
def lone(redis_server: RedisServer, folder: Path) -> Iterator[Service]:
    """A service on Redis whose processes a test may end."""
    env = environment(redis_server.url, redis_server.url, archive_dir=folder / "archives", model=SLOW)
    yield from served(env, folder)


def test_archives_come_back_with_labels_in_the_format_that_was_asked_for(service: Service, folder: Path) -> None:
    front, _ = service
    table = rows(1500)
    first = upload(front, as_csv(table), output="parquet", scores="true", report="true")
    second = upload(front, as_jsonl(table), output="csv")
    done = when(front, first, "done")
    assert (done["total"], done["done"], done["failed"], done["progress"]) == (1500, 1500, 1, 1.0)
    assert sum(done["labels"].values()) == 1499
    assert done["saved"] > 100
    answered = pq.read_table(io.BytesIO(front.ask("GET", done["results"]).body)).to_pylist()
    assert [{name: row[name] for name in table[0]} for row in answered] == table
    assert answered[5]["error"].startswith("invalid_input")
    assert all(abs(sum(row[f"score_{one}"] for one in done["labels"]) - 1) < 1e-4 for row in answered if row["label"])
    again = texts_and_labels(front.ask("GET", when(front, second, "done")["results"]).body)
    assert again == [(row["id"], row["text"], row["label"] or "") for row in answered]
    report = front.ask("GET", done["report"])
    assert report.status == 200
    assert b"sms.csv" in report.body
    assert MARKER.encode() not in report.body
    kept = [path.read_bytes() for path in (folder / "archives").rglob("*.json")]
    assert kept
    assert not any(MARKER.encode() in one for one in kept)


def test_an_archive_survives_the_death_of_every_process(service: Service, folder: Path) -> None:
    front, env = service
    table = rows(5000)
    reply = upload(front, as_csv(table))
    when(front, reply, "running", 500)
    os.kill(runner(front), signal.SIGKILL)
    wait_for(lambda: "ended with -9" in front.output(), "the runner's death")
    before = job(front, reply)["done"]
    when(front, reply, "running", before + 300)
    (server,) = children(front.pid)
    for pid in (runner(front), server, front.pid):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: front.returncode is not None, "the web process's death")
    second = Web(folder, env).ready()
    try:
        done = when(second, reply, "done")
        answered = texts_and_labels(second.ask("GET", done["results"]).body)
    finally:
        second.stop()
    assert [(one, text) for one, text, _ in answered] == [(row["id"], row["text"]) for row in table]
    assert sum(bool(label) for *_, label in answered) == 4999
    assert done["failed"] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_no_runner_outlives_its_web_process_and_another_one_carries_on(
    lone: Service, folder: Path, number: signal.Signals
) -> None:
    front, env = lone
    second = Web(folder, env).ready()
    try:
        reply = upload(front, as_jsonl(rows(5000)))
        when(second, reply, "running", 500)
        owner, other = (front, second) if runners(front) else (second, front)
        (server,) = children(owner.pid)
        ends = [Path(f"/proc/{pid}") for pid in (runner(owner), server)]
        owner.send(number)
        assert owner.wait() == (0 if number == signal.SIGTERM else -9)
        wait_for(lambda: not any(path.exists() for path in ends), "the others' end")
        assert "to be carried on" in owner.output()
        assert when(other, reply, "done")["total"] == 5000
    finally:
        second.stop()


def test_a_cancelled_archive_stops_and_its_files_go(shared: tuple[Web, Path]) -> None:
    front, archives = shared
    reply = upload(front, as_csv(rows(5000)))
    found = when(front, reply, "running", 256)
    pid = runner(front)
    assert front.ask("DELETE", reply.headers["location"]).json["state"] == "cancelled"
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the runner's end")
    left = [path.name for path in (archives / found["id"]).iterdir()]
    assert sorted(left) == ["archive.json", "lock", "progress.json"]
    assert job(front, reply)["state"] == "cancelled"
    quick = upload(front, as_csv(rows(70)))
    assert when(front, quick, "done")["done"] == 70


SMS = b'<smses count="1"><sms address="1" body="see you" date="1"/></smses>'
CALLS = b'<calls count="1"><call number="1" duration="4"/></calls>'
CHAT = b"[01.04.26, 18:00:01] Mia: see you\n"
BANK = b"date,message\n2026-01-02,card payment\n"
MMS = b'{"_id":"2","msg_box":"1","__parts":[{"ct":"text/plain","text":"see you"}]}\n'


@pytest.mark.parametrize(
    "members",
    [
        {"calls.xml": CALLS, "sms.xml": SMS, "contacts.csv": b"name,number\nMia,1\n", "empty.xml": b""},
        {"_chat.txt": CHAT, "00000005-bank.csv": BANK, "00000006-card.vcf": b"BEGIN:VCARD\nEND:VCARD\n"},
        {"again/messages.ndjson": MMS, "again/data/PART_1": b"\xff\xd8\xff\xe0", "__MACOSX/again/._x": b"x"},
    ],
    ids=["phone", "chat", "export"],
)
def test_of_an_uploaded_zip_the_messages_are_classified(shared: tuple[Web, Path], members: dict[str, bytes]) -> None:
    front, _ = shared
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    done = when(front, upload(front, content.getvalue(), output="jsonl"), "done")
    (row,) = map(json.loads, front.ask("GET", done["results"]).body.splitlines())
    assert "see you" in (row.get("body"), row.get("text"))
    assert row["error"] is None
    if "calls.xml" in members:
        assert upload(front, CALLS).status == 422


def test_plain_text_is_read_if_the_caller_says_so(shared: tuple[Web, Path]) -> None:
    front, _ = shared
    lines = b"see you\n\nYou won: call now!\n"
    assert upload(front, lines).status == 415
    done = when(front, upload(front, lines, format="text", output="jsonl"), "done")
    found = [json.loads(line)["text"] for line in front.ask("GET", done["results"]).body.splitlines()]
    assert found == ["see you", "You won: call now!"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sms.txt", "application/octet-stream"),
        ("SMS.TXT", ""),
        ("sms", "text/plain; charset=utf-8"),
        ("-", "text/plain"),
    ],
)
def test_plain_text_is_read_if_its_name_or_its_type_says_so(shared: tuple[Web, Path], name: str, kind: str) -> None:
    front, _ = shared
    headers = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
    headers += f"Content-Type: {kind}\r\n" if kind else ""
    body = f"--b\r\n{headers}\r\nsee you\nYou won: call now!\n\r\n--b--\r\n"
    reply = front.ask("POST", "/archives", body.encode(), Content_Type="multipart/form-data; boundary=b")
    done = when(front, reply, "done")
    assert (done["done"], done["failed"], done["note"]) == (2, 0, None)
    assert any("plain text" in note for note in done["notes"])


def test_a_table_that_is_sent_as_plain_text_stays_a_table(shared: tuple[Web, Path]) -> None:
    front, _ = shared
    headers = 'Content-Disposition: form-data; name="file"; filename="x.txt"\r\nContent-Type: text/plain'
    body = f"--b\r\n{headers}\r\n\r\nid,text\n1,see you\n\r\n--b--\r\n"
    reply = front.ask("POST", "/archives", body.encode(), Content_Type="multipart/form-data; boundary=b")
    done = when(front, reply, "done")
    assert (done["done"], done["notes"]) == (1, [])


def test_an_archive_without_any_text_says_so(shared: tuple[Web, Path]) -> None:
    front, _ = shared
    reply = upload(front, b"id,text\n1,\n2,\n", report="true")
    done = when(front, reply, "done")
    assert (done["total"], done["failed"]) == (2, 2)
    said = "none of the 2 rows could be classified: the column error says why"
    wait_for(lambda: job(front, reply)["note"] == said, "the note that stays", 20)


def test_what_was_left_out_of_an_archive_is_noted(shared: tuple[Web, Path]) -> None:
    front, _ = shared
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("calls.xml", CALLS)
        archive.writestr("sms.csv", "id,text\n1,see you\n")
        archive.writestr("broken.json", '[{"text" "x"}]')
    done = when(front, upload(front, content.getvalue()), "done")
    assert (done["done"], done["failed"]) == (2, 1)
    assert [note.partition(":")[0] for note in done["notes"]] == [
        "1 file could not be read",
        "skipped 1 file that holds no messages",
    ]
    assert not any("file-1" in note or "/" in note for note in done["notes"])


def test_a_client_that_goes_away_leaves_nothing_behind(shared: tuple[Web, Path]) -> None:
    front, archives = shared
    before = set(archives.glob("archive-*"))
    body = form(as_csv(rows(1000)))
    heads = (f"Content-Length: {len(body)}", "Transfer-Encoding: chunked")
    for head in heads:
        with socket.create_connection(("127.0.0.1", front.port), timeout=10) as connection:
            lines = (
                "POST /archives HTTP/1.1",
                "Host: x",
                "Content-Type: multipart/form-data; boundary=b",
                head,
                "",
                "",
            )
            half = body[:20_000]
            framed = b"%x\r\n%s\r\n" % (len(half), half) if "chunked" in head else half
            connection.sendall("\r\n".join(lines).encode() + framed)
            wait_for(lambda: list(archives.glob(".incoming-*")), "the upload's folder", 10)
        wait_for(lambda: not list(archives.glob(".incoming-*")), "the folder's end", 10)
    assert set(archives.glob("archive-*")) == before


def test_slow_uploads_do_not_hold_the_others_up(shared: tuple[Web, Path]) -> None:
    front, archives = shared
    slow = [front.connect() for _ in range(10)]  # of 8 threads two receive, and two wait for the rest of refused ones
    for number, connection in enumerate(slow):
        connection.putrequest("POST", "/archives")
        connection.putheader("Content-Type", "multipart/form-data; boundary=b")
        connection.putheader("Content-Length", "1000000")
        connection.endheaders()
        connection.send(form(b"text\nhalf a file")[:40])
        if number == 1:
            wait_for(lambda: len(list(archives.glob(".incoming-*"))) == 2, "both uploads", 10)
    wait_for(lambda: len(answered(slow)) == 6, "the answers of all but four", 10)
    assert {connection.getresponse().status for connection in answered(slow)} == {429}
    refused = upload(front, b"text\nx\n")
    assert refused.status == 429
    assert refused.headers["retry-after"]
    assert front.ask("POST", "/predict/", {"text": "see you at 8"}).status == 200
    for connection in slow:
        connection.close()
    wait_for(lambda: not list(archives.glob(".incoming-*")), "the uploads' end", 10)
    when(front, upload(front, as_csv(rows(70))), "done")


def test_a_stream_without_a_length_ends_at_the_limit(shared: tuple[Web, Path]) -> None:
    front, archives = shared
    before = set(archives.glob("archive-*"))
    connection = front.connect()
    pieces = iter([form(b"x" * 100_000)[:-20], *[b"x" * 100_000] * 30])
    connection.request(
        "POST",
        "/archives",
        pieces,
        {"Content-Type": "multipart/form-data; boundary=b", "Transfer-Encoding": "chunked"},
        encode_chunked=True,
    )
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    assert response.status == 413
    assert answer["detail"]["details"] == {"field": "file", "limit": 2_000_000}
    assert set(archives.glob("archive-*")) == before


def test_wrong_content_is_refused_before_it_is_accepted(shared: tuple[Web, Path]) -> None:
    front, _ = shared
    wrong = {
        b"\x7fELF\x02\x01\x01" + b"\0" * 500: (415, "unsupported_media_type"),
        b"a,b\n1,2\n": (422, "unreadable_archive"),
        b"PAR1 is how Parquet begins, but this is none": (422, "unreadable_archive"),
        b"": (422, "unreadable_archive"),
    }
    for content, expected in wrong.items():
        reply = upload(front, content)
        assert (reply.status, reply.json["detail"]["error"]) == expected, reply.body


def test_an_archive_waits_for_a_worker_and_goes_after_its_time(redis_server: RedisServer, folder: Path) -> None:
    env = environment(redis_server.url, redis_server.url, archive_dir=folder / "archives")
    flush(redis_server.url)
    front = Web(folder, env)
    worker: Worker | None = None
    try:
        wait_for(lambda: answers(front), "the web server")
        reply = upload(front, as_csv(rows(70)), scores="true")
        wait_for(lambda: "worker" in (job(front, reply)["note"] or ""), "a note about the worker", 20)
        assert job(front, reply)["state"] == "queued"
        worker = Worker(folder, env).ready()
        assert when(front, reply, "done")["total"] == 70
        front.stop()
        front = Web(folder, env | {"SLUICE_ARCHIVE_TTL_S": "1"}).ready()
        wait_for(lambda: front.ask("GET", reply.headers["location"]).status == 404, "the end of its time", 20)
        wait_for(lambda: not list((folder / "archives").glob("archive-*")), "the folder's end", 20)
    finally:
        front.stop()
        if worker is not None:
            worker.stop()


def answered(connections: list[http.client.HTTPConnection]) -> list[http.client.HTTPConnection]:
    """Those on which an answer has come."""
    return [one for one in connections if select.select([one.sock], [], [], 0)[0]]


def answers(front: Web) -> bool:
    try:
        return front.ask("GET", "/healthz").status == 200
    except OSError:
        return False
