"""Views of file statuses: one file, with long polling or as events, and several files at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from flask import Blueprint, Response, g, request, stream_with_context
from werkzeug.datastructures import ETags

from api import schemas
from api.events import event_stream, format_event
from api.json_bodies import read_json
from api.limits import MAX_IDS
from api.lookup import get_file_or_404, get_files
from api.openapi.components import IDS, LAST_EVENT_ID, STATE_CONDITIONS, html_or_json, response
from api.openapi.operations import Operation
from api.openapi.problem_sets import JSON_BODY
from api.pages import file_page
from api.parameters import parse_query
from api.query_schemas import EventsQuery, FileQuery
from api.responses import etagged, file_shape, json_response, prefers_html
from api.schemas import Event, Ids, Statuses
from auth.guards import requires_scope
from lifecycle.changes import has_ended
from models import FileRow
from problems import NotFound, PreconditionFailed, TooManyWatchers
from server.sockets import is_disconnected
from services import current_services

files = Blueprint("files", __name__)


@files.get("/files/<id>")
@Operation(
    "get_file", "Watch", "The status of a file; with wait as soon as it has changed.",
    {
        200: html_or_json(response(
            "The file; a page without an ETag for a client that prefers text/html.",
            schemas.File, headers=("ETag", "Retry-After"),
        )),
        304: response("Not modified.", headers=("ETag", "Retry-After")),
    },
    (NotFound, PreconditionFailed), query=FileQuery, headers=STATE_CONDITIONS,
)  # fmt: skip
@requires_scope("read")
def status(id: str) -> Response:
    """One file, as JSON or as a page; with `wait` as soon as it has changed."""
    wait, row = parse_query(request.args, FileQuery).wait, get_file_or_404(id)
    if wait:
        row = _long_poll(row, wait)
    response = file_page(row) if prefers_html() else _file_response(row)
    response.vary.add("Accept")
    if not has_ended(row):
        response.headers["Retry-After"] = "1"
    return response


def _file_response(row: FileRow) -> Response:
    """The file as JSON with its ETag, or 304. Raises PreconditionFailed."""
    text, tag = etagged(row)
    if request.if_match and not request.if_match.contains(tag):
        raise PreconditionFailed
    response = Response(text + "\n", mimetype="application/json")
    response.set_etag(tag)
    if request.if_none_match.contains_weak(tag):
        response.status_code = 304
    return response


@files.get("/files/<id>/events")
@Operation(
    "watch_file", "Watch",
    "The changes of a file as server-sent events: event file, the file as JSON in data, its ETag as id.",
    {
        200: response("Events, until the file has ended.", Event, "text/event-stream"),
        204: response("The file has ended, and its last event is Last-Event-ID."),
    },
    (NotFound, TooManyWatchers), query=EventsQuery, headers=LAST_EVENT_ID,
)  # fmt: skip
@requires_scope("read")
def events(id: str) -> Response:
    """The changes of one file, as server-sent events."""
    row = get_file_or_404(id)
    last = request.headers.get("Last-Event-ID") or parse_query(request.args, EventsQuery).last_event_id
    if has_ended(row):
        text, tag = etagged(row)
        return Response(status=204) if tag == last else _event_response([format_event(tag, text)])
    if request.method == "HEAD":
        return _event_response([])
    changes = current_services().changes
    subscription = changes.subscribe(row, g.principal.name, _disconnect_check())
    response = _event_response(stream_with_context(event_stream(subscription, etagged, last)))
    response.call_on_close(lambda: changes.unsubscribe(subscription))
    return response


@files.post("/files/status")
@Operation(
    "get_statuses", "Watch", f"The status of up to {MAX_IDS} files.",
    {200: response("The files found.", Statuses)}, JSON_BODY, body=IDS,
)  # fmt: skip
@requires_scope("read")
def statuses() -> Response:
    """Several files, and the ids that are unknown."""
    ids = read_json(request, Ids).unique()
    rows = get_files(ids)
    found = [file_shape(rows[id]) for id in ids if id in rows]
    return json_response(Statuses(found, [id for id in ids if id not in rows]))


def has_changed(row: FileRow | None, tag: str, before: FileRow, known: ETags) -> bool:
    """Whether to end a long poll: the file has ended or is gone, or its state is new to the client.

    New means an ETag that is not in `known` (If-None-Match); if that is empty, another status than `before` has.
    """
    if row is None or has_ended(row):
        return True
    return not known.contains_weak(tag) if known else row.upload_status != before.upload_status


def _long_poll(before: FileRow, seconds: int) -> FileRow:
    """Wait for a change, at most `seconds`; not at all if all places for waiting requests are taken."""

    def done(row: FileRow | None) -> bool:
        return has_changed(row, etagged(row)[1] if row else "", before, request.if_none_match)

    if done(before):
        return before
    row: FileRow | None = before
    with (
        suppress(TooManyWatchers),
        current_services().changes.subscription(before, g.principal.name, _disconnect_check()) as subscription,
    ):
        row = subscription.wait_until(done, seconds)
    if row is None:
        raise NotFound
    return row


def _event_response(events: Iterable[str]) -> Response:
    response = Response(events, content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx buffers a whole response otherwise.
    return response


def _disconnect_check() -> Callable[[], bool]:
    """Whether the client of this request has disconnected; callable from a thread without request context."""
    return partial(is_disconnected, request.environ.get("gunicorn.socket"))
