"""A process of this release beside one of the release before: each reads what the other writes.

The files of ``tests/fixtures/wire/v1`` are bytes of that release, ``v1_readers.py`` its readers.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from sluice.tasks.envelope import parse
from sluice.tasks.prediction_options import PredictionOptions
from sluice.tasks.results import entries_of
from sluice.tasks.wire.entry import Entry, fault_of, id_of, is_prediction, prediction_of
from sluice.tasks.wire.headers import EnvelopeHeaders
from sluice.tasks.wire.progress import EnvelopeProgress, JobProgress
from sluice.tasks.wire.release import FIRST
from sluice.tasks.wire.reply import pack_reply, unpack_reply
from sluice.tasks.wire.resultmeta import StoredResult, pack_meta
from sluice.tasks.wire.status import WorkerStatus
from sluice.web.gateway.job_store import Job, read_job
from tests.unit.tasks.wire import v1_readers

V1 = Path(__file__).parents[3] / "fixtures" / "wire" / "v1"
EVERYTHING = PredictionOptions(scores=True, verdict=True)


def recorded(name: str) -> bytes:
    return (V1 / name).read_bytes()


def fields_of(value: Any, path: str = "") -> set[str]:
    """Every path of names in an object, ``model.name``."""
    if not isinstance(value, dict):
        return {path}
    return {path} | {one for name, inner in value.items() for one in fields_of(inner, f"{path}.{name}")}


# What that release wrote


def test_every_kind_of_entry_is_read() -> None:
    scored, named, blank, long, poisoned = entries_of(StoredResult.from_wire(recorded("result_all.json")), 5)
    assert prediction_of(scored)["verdict"] == "flag"
    assert prediction_of(scored)["rule"] == "spam >= 0.5"
    assert set(prediction_of(scored)["scores"]) == {"ham", "spam", "phishing"}
    assert (id_of(scored), id_of(named), id_of(blank), id_of(long)) == (None, "m1", "m2", None)
    assert prediction_of(named)["label"] == "ham"
    assert [fault_of(one)["code"] for one in (blank, long, poisoned)] == [
        "invalid_input",
        "invalid_input",
        "model_failed",
    ]
    assert PredictionOptions().trimmed(scored) == {
        "label": "spam",
        "probability": 0.67,
        "model": "simulated",
        "version": "1",
    }


@pytest.mark.parametrize(
    ("name", "state", "entries"),
    [
        ("plain", "SUCCESS", ["spam"]),
        ("single", "SUCCESS", ["spam"]),
        ("job", "SUCCESS", ["spam", "invalid_input"]),
        ("failure", "FAILURE", ["invalid_input", "invalid_input"]),
        ("revoked", "REVOKED", ["revoked", "revoked"]),
        ("cancelled", "REVOKED", ["revoked", "revoked"]),
    ],
)
def test_every_kind_of_result_is_read(name: str, state: str, entries: list[str]) -> None:
    def shown(entry: Entry) -> str:
        return entry["label"] if is_prediction(entry) else fault_of(entry)["code"]

    found = StoredResult.from_wire(recorded(f"result_{name}.json"))
    assert (found.state, found.ready, found.begun, found.wire) == (state, True, True, FIRST)
    assert found.finished_at is not None
    assert [shown(entry) for entry in entries_of(found, 2)] == entries


def test_replies_are_read() -> None:
    ((identity, answered),) = unpack_reply(recorded("reply_batch.json")).items()
    ((same, refused),) = unpack_reply(recorded("reply_failures.json")).items()
    assert identity == same
    assert {index: is_prediction(entry) for index, entry in [*answered, *refused]} == {
        0: True,
        1: True,
        2: False,
        3: False,
        4: False,
    }


def test_progress_is_read() -> None:
    def job(name: str) -> JobProgress:
        return JobProgress.from_wire({key.encode(): one.encode() for key, one in json.loads(recorded(name)).items()})

    done, cancelled = job("progress.json"), job("progress_cancelled.json")
    assert (len(done.envelopes), done.labelled, done.failed, done.last_at) == (1, 1, 1, 1796072953.602)
    assert (cancelled.labelled, cancelled.failed, cancelled.last_at) == (0, 2, 1796072949.4324324)


def test_a_status_is_read_and_shown_as_it_was_written() -> None:
    status = WorkerStatus.from_wire(recorded("status.json"))
    assert (status.ready, status.model.key, status.knows_verdicts, status.wire) == (
        True,
        ("simulated", "1"),
        True,
        FIRST,
    )
    assert status.full_batch is not None
    assert status.full_batch.messages == 64
    assert status.answers is not None
    assert (status.counters.errors, status.answers.labels["spam"]) == (1, 1)
    assert status.said() == {**orjson.loads(recorded("status.json")), "wire": FIRST}


@pytest.mark.parametrize(
    ("name", "headers", "options", "ids"),
    [
        (
            "predict",
            EnvelopeHeaders("34d0a296c9524648b87932ab70594d59", counted=True, wire=FIRST),
            PredictionOptions(),
            22,
        ),
        ("job", EnvelopeHeaders(verdict=True, counted=True, wire=FIRST), PredictionOptions(scores=True), 2),
    ],
)
def test_a_task_message_is_read(name: str, headers: EnvelopeHeaders, options: PredictionOptions, ids: int) -> None:
    message = json.loads(recorded(f"message_{name}.json"))
    args, kwargs, _ = json.loads(base64.b64decode(message["body"]))
    call = parse(args, kwargs, 50)
    assert EnvelopeHeaders.from_wire(message["headers"]) == headers
    assert (call.single, call.options) == (False, options)
    assert len(call.messages[0].id or "") == ids
    assert call.messages[0].text == "see you at eight"


def test_a_job_is_read() -> None:
    job = read_job("id", [recorded("job.json"), None, None])
    assert job is not None
    assert (job.total, job.lane, job.named, job.options) == (2, "bulk", True, EVERYTHING)
    marks = {name.encode(): one.encode() for name, one in json.loads(recorded("job_cancelled.json")).items()}
    gone = read_job("id", [marks[b"job"], marks[b"cancelled"], marks[b"published"]])
    assert gone is not None
    assert (gone.cancelled, gone.published, gone.options) == (True, True, PredictionOptions())


# What this release writes


def test_it_reads_our_entries_results_and_replies() -> None:
    entry = prediction_of(entries_of(StoredResult.from_wire(recorded("result_all.json")), 5)[0])
    state, result, finished_at = v1_readers.result(pack_meta("e", "SUCCESS", [entry], "2026-11-30T21:00:00+00:00"))
    assert (state, finished_at) == ("SUCCESS", "2026-11-30T21:00:00+00:00")
    assert v1_readers.prediction(result[0]) == entry
    assert v1_readers.replies(pack_reply({"e": [(3, entry)]})) == {"e": {3: entry}}


def test_a_result_has_every_field_that_it_had() -> None:
    ours = orjson.loads(pack_meta("e", "SUCCESS", [], None, group_id="g"))
    assert set(orjson.loads(recorded("result_job.json"))) | {"wire"} == set(ours)


def test_it_reads_our_progress() -> None:
    fields = {
        b"a": EnvelopeProgress(3, 1, 7.25).to_wire().encode(),
        b"b": EnvelopeProgress(0, 2, 9.5).to_wire().encode(),
    }
    assert v1_readers.progress(fields) == (3, 3, 9.5)


def test_a_status_has_every_field_that_it_had() -> None:
    theirs = orjson.loads(recorded("status.json"))
    ours = orjson.loads(WorkerStatus.from_json(theirs).to_wire())
    assert fields_of(theirs) <= fields_of(ours)
    young = orjson.loads(WorkerStatus(answers={}, verdicts={}, full_batch={}).to_wire())  # type: ignore[arg-type]
    of_the_model = {one for one in fields_of(theirs) if one.startswith((".verdicts.thresholds.", ".answers.labels."))}
    assert fields_of(theirs) - of_the_model <= fields_of(young), "none of them is there only because it was read"


def test_it_reads_our_status() -> None:
    theirs = orjson.loads(recorded("status.json"))
    ours = orjson.loads(WorkerStatus.from_json(theirs).to_wire())
    assert v1_readers.statistics([ours]) == v1_readers.statistics([theirs])


def test_it_reads_our_jobs() -> None:
    job = Job("id", 2, 1.5, "bulk", [("e", 2)], named=True, scores=True, owner="o", verdict=True)
    assert v1_readers.job(job.packed())["envelopes"] == [("e", 2)]
    assert set(orjson.loads(recorded("job.json"))) == set(orjson.loads(job.packed()))


@pytest.mark.parametrize("name", ["predict", "job"])
def test_our_headers_are_theirs_and_the_number(name: str) -> None:
    theirs = json.loads(recorded(f"message_{name}.json"))["headers"]
    read = EnvelopeHeaders.from_wire(theirs)
    said = EnvelopeHeaders(read.reply_to, read.more, read.verdict, read.counted).to_wire()
    own = {header: value for header, value in theirs.items() if header.startswith("sluice_")}
    assert {**own, "sluice_wire": said["sluice_wire"]} == said
