"""``POST /archives``, and what ``/jobs/ID`` says and gives for an archive."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, Response, request, send_file
from flask.blueprints import BlueprintSetupState
from werkzeug.http import parse_options_header
from werkzeug.routing import BaseConverter
from werkzeug.wsgi import get_input_stream

from sluice.backfill.outputs.table import MEDIA_TYPES
from sluice.tasks.errors import BadRequest, Conflict, NotFound, SluiceError, UnsupportedMediaType
from sluice.web.archives.names import result_name
from sluice.web.archives.service import Archive, ArchiveService
from sluice.web.archives.store import ID
from sluice.web.archives.supervisor import RunnerSupervisor
from sluice.web.http.auth import Guard
from sluice.web.http.body import JSON
from sluice.web.http.compression import codings, refused
from sluice.web.http.errors import iso_of
from sluice.web.http.idempotency import key_digest

FORM = "multipart/form-data"
POLL_AFTER_S = 2
#: Seconds for which a request waits for a report that is being written, and between looks at it.
REPORT_WAIT_S, REPORT_POLL_S = 10.0, 0.1
#: The report has pictures and style of its own, nothing else, and no script.
REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; sandbox"
)


class ArchiveId(BaseConverter):
    """Takes ids of archives from the routes of other jobs; nothing else ever becomes a folder's name."""

    regex = ID
    weight = 50


def blueprint(service: ArchiveService, supervisor: RunnerSupervisor, guard: Guard) -> Blueprint:
    routes = Blueprint("archives", __name__)
    routes.before_request(guard)
    routes.record_once(_know_ids)

    @routes.post("/archives")
    def submit() -> Response:
        archive = _received(service, guard.owner(request.headers))
        supervisor.wake()
        response = _json(as_json(archive), 202)
        response.headers["Location"] = f"/jobs/{archive.folder.id}"
        response.headers["Retry-After"] = str(POLL_AFTER_S)
        return response

    @routes.get("/jobs/<archive:archive_id>")
    def status(archive_id: str) -> Response:
        return _json(as_json(service.find(archive_id)))

    @routes.delete("/jobs/<archive:archive_id>")
    def cancel(archive_id: str) -> Response:
        archive = service.cancel(archive_id)
        supervisor.wake()
        return _json(as_json(archive, links=False))

    @routes.get("/jobs/<archive:archive_id>/results")
    def results(archive_id: str) -> Response:
        archive = service.find(archive_id)
        _require_done(archive)
        output = archive.description.output
        name = result_name(archive.description.names, output)
        return _file(archive.folder.result(output), MEDIA_TYPES[output], name)

    @routes.get("/jobs/<archive:archive_id>/report")
    def report(archive_id: str) -> Response:
        archive = service.find(archive_id)
        if not archive.description.report:
            raise NotFound("no report was asked for; send report=true with the archive", {"field": "report"})
        _require_done(archive)
        if not _report_made(archive):
            raise NotFound("the report could not be made; the results are complete", {"field": "report"})
        response = _file(archive.folder.report, "text/html")
        response.headers["Content-Security-Policy"] = REPORT_POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return routes


def _know_ids(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["archive"] = ArchiveId


def as_json(archive: Archive, *, links: bool = True) -> dict[str, Any]:
    """What ``/jobs/ID`` says: the fields of every job, and those that only archives have."""
    folder, progress = archive.folder, archive.progress
    done = progress.state == "done" and links
    return {
        "id": folder.id,
        "state": progress.state,
        "total": progress.total,
        "done": progress.done,
        "failed": progress.failed,
        "created_at": iso_of(archive.description.created_at),
        "finished_at": None if progress.finished_at is None else iso_of(progress.finished_at),
        "progress": progress.share,
        "rows_per_s": progress.rows_per_s,
        "labels": progress.labels,
        "saved": progress.saved,
        "note": progress.note,
        "notes": progress.notes,
        "error": progress.error,
        "results": f"/jobs/{folder.id}/results" if done else None,
        "report": f"/jobs/{folder.id}/report" if done and archive.report_expected else None,
    }


def _received(service: ArchiveService, owner: str) -> Archive:
    """The archive in the body of the current request."""
    mimetype, options = parse_options_header(request.headers.get("Content-Type"))
    # What of a refused body is still under way is read from the same stream, so nobody reads past its end.
    stream = get_input_stream(request.environ)
    try:
        if mimetype.lower() != FORM:
            raise UnsupportedMediaType(f"send the archive as {FORM}", {"field": "Content-Type", "accepted": [FORM]})
        if set(codings(request.headers.get("Content-Encoding"))) - {"identity"}:
            raise refused("send the form as it is; the files in it may be compressed", "identity")
        boundary = options.get("boundary", "").encode()
        if not boundary:
            raise BadRequest("Content-Type names no boundary", {"field": "Content-Type"})
        return service.submit(stream, boundary, request.content_length, key_digest(request), owner)
    except SluiceError:
        service.discard(request, stream)
        raise


def _require_done(archive: Archive) -> None:
    progress = archive.progress
    if progress.state == "done":
        return
    details: dict[str, Any] = {"state": progress.state, "done": progress.done, "total": progress.total}
    if progress.finished:
        reason = f": {progress.error['message']}" if progress.error else ""
        raise Conflict(f"the archive is {progress.state} and has no results{reason}", details)
    raise Conflict(
        f"the archive is {progress.state}: {progress.done} rows are done", details, retry_after_s=POLL_AFTER_S
    )


def _report_made(archive: Archive) -> bool:
    """Whether the report is there; waits a little for one that is being written.

    Raises:
        Conflict: it takes longer.
    """
    folder, ends = archive.folder, time.monotonic() + REPORT_WAIT_S
    while not folder.report.is_file() and folder.reporting:
        if time.monotonic() > ends:
            raise Conflict("the report is still being written; the results are complete", retry_after_s=POLL_AFTER_S)
        time.sleep(REPORT_POLL_S)
    return folder.report.is_file()


def _file(path: Path, mimetype: str, name: str | None = None) -> Response:
    """A file in pieces: whole, a range of it, or 304; with ``name``, to be saved under it."""
    try:
        response = send_file(path, mimetype, as_attachment=name is not None, download_name=name)
    except FileNotFoundError:
        raise NotFound("there is no such job, or its results have expired", {"field": "id"}) from None
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _json(payload: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(payload), status, mimetype=JSON)
