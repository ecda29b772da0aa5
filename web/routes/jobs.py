"""``/jobs``: submit, list, poll, read results, cancel."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from flask import Blueprint, Response, request

from sluice.config.settings import Settings
from sluice.tasks.envelope import ENVELOPE_MESSAGES, HALF_PAIR, is_unicode
from sluice.tasks.errors import Conflict
from sluice.tasks.prediction_options import OPTION_NAMES, PredictionOptions
from sluice.tasks.verdicts import objection
from sluice.tasks.wire.entry import Entry
from sluice.web.gateway import GatewayApi, JobStatus, ResultPage
from sluice.web.gateway.job_store import IdempotencyRecord
from sluice.web.http.auth import Guard
from sluice.web.http.body import JSON, read_job
from sluice.web.http.errors import MAX_PROBLEMS, invalid, iso_of, problem
from sluice.web.http.idempotency import key_digest
from sluice.web.http.lone_surrogates import LoneSurrogates
from sluice.web.http.prefer import preference
from sluice.web.routes import job_list
from sluice.web.schemas.jobs import JobRequest
from sluice.web.schemas.limits import Requests

NDJSON = "application/x-ndjson"
DEFAULT_LIMIT = 1_000
MAX_LIMIT = 10_000
#: Far beyond the end of any job, where pages are empty.
MAX_OFFSET = 10**9
MAX_DIGITS = 20
POLL_AFTER_S = "1"

Messages = list[str] | list[dict[str, str]]


def blueprint(
    settings: Settings,
    gateway: GatewayApi,
    guard: Guard,
    requests: Requests,
    archives: Callable[[str], job_list.Source],
) -> Blueprint:
    """The routes.

    Args:
        archives: the archives of a caller, for the list.
    """
    routes = Blueprint("jobs", __name__)
    routes.before_request(guard)

    @routes.get("/jobs")
    def listed() -> Response:
        owner = guard.owner(request.headers)
        limit = _number("limit", job_list.DEFAULT_LIMIT, 1, job_list.MAX_LIMIT)
        states = job_list.wanted_states(request.args.get("state"))

        def jobs(before: str | None, count: int) -> job_list.Rows:
            return [(position, as_json(status)) for position, status in gateway.jobs(owner, before, count)]

        rows, following = job_list.page(
            [jobs, archives(owner)], job_list.cursor(request.args.get("cursor")), limit, states
        )
        link = f"/jobs?cursor={following}&limit={limit}"
        if states:
            link += f"&state={','.join(sorted(states))}"
        return _json({"jobs": [row for _, row in rows], "next": link if following else None})

    @routes.post("/jobs")
    def submit() -> Response:
        body, lone = read_job(requests.job)
        messages = _messages(body, lone, settings.max_text_chars)
        lane = body.lane or ("interactive" if len(messages) <= ENVELOPE_MESSAGES else "bulk")
        wanted = preference(request.headers.get("Prefer"), 0)
        owner = guard.owner(request.headers)
        options = _options(body, settings, gateway)
        submission = gateway.submit_job(
            messages, lane, wanted.wait_s, _idempotency_record(body, lone), options=options, owner=owner
        )
        if submission.entries is None:
            response = accepted(submission.status)
        else:
            response = _page(submission.status, 0, submission.entries, None)
            response.headers["Location"] = f"/jobs/{submission.status.id}"
        if wanted.applied:
            response.headers["Preference-Applied"] = wanted.applied
        return response

    @routes.get("/jobs/<job_id>")
    def status(job_id: str) -> Response:
        return _json(as_json(gateway.job(job_id)))

    @routes.get("/jobs/<job_id>/results")
    def results(job_id: str) -> Response:
        offset = _number("offset", 0, 0, MAX_OFFSET)
        if request.accept_mimetypes.best_match([JSON, NDJSON]) == NDJSON:
            if "limit" in request.args:
                raise invalid([problem("limit", "is for pages of JSON; NDJSON is one stream to the end")])
            return _stream(gateway, gateway.job_results(job_id, offset, DEFAULT_LIMIT))
        limit = _number("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        page = gateway.job_results(job_id, offset, limit)
        return _page(page.status, offset, page.entries, _next(page, limit))

    @routes.delete("/jobs/<job_id>")
    def cancel(job_id: str) -> Response:
        return _json(as_json(gateway.cancel(job_id)))

    return routes


def accepted(status: JobStatus) -> Response:
    """202 with the address of the result."""
    response = _json(as_json(status), 202)
    response.headers["Location"] = f"/jobs/{status.id}"
    response.headers["Retry-After"] = POLL_AFTER_S
    return response


def queued_message(job_id: str) -> JobStatus:
    """The status of one message of ``/predict/`` that has no answer yet."""
    return JobStatus(job_id, "queued", 1, 0, 0, time.time(), None)


def as_json(status: JobStatus) -> dict[str, Any]:
    return {
        "id": status.id,
        "state": status.state,
        "total": status.total,
        "done": status.done,
        "failed": status.failed,
        "created_at": iso_of(status.created_at),
        "finished_at": None if status.finished_at is None else iso_of(status.finished_at),
    }


def _messages(body: JobRequest, lone: LoneSurrogates, max_text_chars: int) -> Messages:
    """What goes into the envelopes.

    One bad text among good ones becomes an error entry; a job of nothing but bad texts, or with an id given twice,
    is refused.
    """
    texts = list(body.texts) if body.texts is not None else [one.text for one in body.messages or []]
    for index, text in lone.items():
        texts[index] = text
    _some_good(texts, "texts[{}]" if body.texts is not None else "messages[{}].text", max_text_chars)
    if body.texts is not None:
        return texts
    messages = body.messages or []
    first: dict[str, int] = {}
    twice = [
        problem(f"messages[{index}].id", f"is the id of messages[{first[one.id]}] too")
        for index, one in enumerate(messages)
        if first.setdefault(one.id, index) != index
    ]
    if twice:
        raise invalid(twice[:MAX_PROBLEMS], len(twice))
    return [{"id": one.id, "text": text} for one, text in zip(messages, texts, strict=True)]


def _some_good(texts: list[str], field: str, max_text_chars: int) -> None:
    problems = []
    for index, text in enumerate(texts):
        if not text.strip():
            problems.append(problem(field.format(index), "must not be empty or blank", 1))
        elif len(text) > max_text_chars:
            message = f"is longer than {max_text_chars} characters"
            problems.append(problem(field.format(index), message, max_text_chars))
        elif not is_unicode(text):
            problems.append(problem(field.format(index), HALF_PAIR))
        else:
            return
    raise invalid(problems[:MAX_PROBLEMS], len(problems))


def _options(body: JobRequest, settings: Settings, gateway: GatewayApi) -> PredictionOptions:
    """What results are to have besides; InvalidInput, ModelUnavailable: a verdict, and no worker gives one."""
    if body.verdict and (error := objection(gateway.workers())):
        raise error
    return PredictionOptions(body.scores, body.verdict or settings.verdict)


def _idempotency_record(body: JobRequest, lone: LoneSurrogates) -> IdempotencyRecord | None:
    digest = key_digest(request)
    if digest is None:
        return None
    # What says the same has the same digest: a flag that is not set, and one that an older release did not know.
    asked = body.model_dump_json(exclude={name for name in OPTION_NAMES if not getattr(body, name)})
    return IdempotencyRecord(digest, hashlib.sha256(f"{asked}{json.dumps(lone) if lone else ''}".encode()).hexdigest())


def _number(name: str, default: int, least: int, most: int) -> int:
    """A number of the query; what is outside its limits is refused, never bent."""
    given = request.args.get(name)
    if given is None:
        return default
    number = int(given) if given.isascii() and given.isdecimal() and len(given) < MAX_DIGITS else -1
    if not least <= number <= most:
        wrong = problem(name, f"must be a whole number from {least} to {most}", most)
        raise invalid([wrong])
    return number


def _next(page: ResultPage, limit: int) -> str | None:
    if page.next_offset is None:
        return None
    return f"/jobs/{page.status.id}/results?offset={page.next_offset}&limit={limit}"


def _page(status: JobStatus, offset: int, entries: list[Entry], following: str | None) -> Response:
    return _json(
        {
            "id": status.id,
            "state": status.state,
            "total": status.total,
            "done": status.done,
            "failed": status.failed,
            "offset": offset,
            "results": entries,
            "next": following,
        }
    )


def _stream(gateway: GatewayApi, page: ResultPage) -> Response:
    """Every result from ``offset`` on, one JSON object a line.

    A stream that stops at the unfinished part would look complete, so it is refused unless asked for.
    """
    if not page.status.finished and "partial" not in request.args:
        raise Conflict(
            f"the job is {page.status.state}: {page.status.done} of {page.status.total} messages are done;"
            " add ?partial for what is there",
            {"state": page.status.state, "done": page.status.done, "total": page.status.total},
            retry_after_s=1,
        )

    def lines() -> Iterator[bytes]:
        yield b"".join(orjson.dumps(entry) + b"\n" for entry in page.entries)
        for entries in gateway.stream_results(page):
            yield b"".join(orjson.dumps(entry) + b"\n" for entry in entries)

    return Response(lines(), mimetype=NDJSON)


def _json(payload: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(payload), status, mimetype=JSON)
