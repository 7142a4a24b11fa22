"""The doors to what has become of files: of one, of one as soon as it changes, of many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, request, stream_with_context
from werkzeug.datastructures import ETags

from api.events import event_stream, format_event
from api.json_bodies import parse_ids, read_json
from api.lookup import get_file_or_404, get_files
from api.pages import file_page
from api.parameters import number
from api.responses import etagged, prefers_html, serialize
from auth.guards import requires_scope
from lifecycle.changes import has_ended
from models import File
from problems import NotFound, PreconditionFailed, TooManyWatchers
from server.sockets import is_disconnected
from services import current_services

files = Blueprint("files", __name__)

_LONGEST_WAIT = 60


@files.get("/files/<id>")
@requires_scope("read")
def status(id: str) -> Response:
    """One file, as JSON or as a page; with `wait` as soon as it has changed."""
    seconds, row = number(request.args, "wait", 1, _LONGEST_WAIT, 0), get_file_or_404(id)
    if seconds:
        row = _long_poll(row, seconds)
    answer = file_page(row) if prefers_html() else _tagged(row)
    answer.vary.add("Accept")
    if not has_ended(row):
        answer.headers["Retry-After"] = "1"
    return answer


def _tagged(row: File) -> Response:
    """The file as JSON under its ETag, or 304. Raises PreconditionFailed."""
    text, tag = etagged(row)
    if request.if_match and not request.if_match.contains(tag):
        raise PreconditionFailed
    answer = Response(text + "\n", mimetype="application/json")
    answer.set_etag(tag)
    if request.if_none_match.contains_weak(tag):
        answer.status_code = 304
    return answer


@files.get("/files/<id>/events")
@requires_scope("read")
def events(id: str) -> Response:
    """All that becomes of one file, as it happens."""
    row = get_file_or_404(id)
    (text, tag), last = etagged(row), request.headers.get("Last-Event-ID") or request.args.get("lastEventId")
    if has_ended(row):
        return Response(status=204) if tag == last else _stream([format_event(tag, text)])
    if request.method == "HEAD":
        return _stream([])
    watcher = current_services().changes
    watch = watcher.subscribe(row, g.principal.name, _client_has_left())
    answer = _stream(stream_with_context(event_stream(watch, etagged, last)))
    answer.call_on_close(lambda: watcher.unsubscribe(watch))
    return answer


@files.post("/files/status")
@requires_scope("read")
def statuses() -> dict[str, Any]:
    """Several files, and which of the ids are of none."""
    ids = parse_ids(read_json(request))
    rows = get_files(ids)
    return {
        "files": [serialize(rows[id]) for id in ids if id in rows],
        "unknown": [id for id in ids if id not in rows],
    }


def has_changed(row: File | None, tag: str, before: File, known: ETags) -> bool:
    """Whether to answer one who waits: there is another state than those they know of, or the final one.

    For one who names none it is the status that has to be another.
    """
    if row is None or has_ended(row):
        return True
    return not known.contains_weak(tag) if known else row.upload_status != before.upload_status


def _long_poll(before: File, seconds: int) -> File:
    """The file after the wait. Where there is no place to wait in, it is over at once."""

    def done(row: File | None) -> bool:
        return has_changed(row, etagged(row)[1] if row else "", before, request.if_none_match)

    if done(before):
        return before
    row: File | None = before
    with (
        suppress(TooManyWatchers),
        current_services().changes.subscription(before, g.principal.name, _client_has_left()) as watch,
    ):
        row = watch.wait_until(done, seconds)
    if row is None:
        raise NotFound
    return row


def _stream(events: Iterable[str]) -> Response:
    answer = Response(events, content_type="text/event-stream")
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _client_has_left() -> Callable[[], bool]:
    """For a thread that has no request."""
    return partial(is_disconnected, request.environ.get("gunicorn.socket"))
