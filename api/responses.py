"""What HTTP gets back: a file as JSON, a problem as problem+json. Both have one shape everywhere."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, json, make_response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from content.redaction import redact_tokens
from database.engine import UNAVAILABLE, reason
from logs import request_id, truncate
from models import File
from problems import (
    BadRequest,
    DatabaseUnavailable,
    LengthRequired,
    MethodNotAllowed,
    NotFound,
    Problem,
    TooLarge,
    UnsupportedMediaType,
)  # fmt: skip

log = logging.getLogger("ferry.http")

_OF_STATUS: dict[int, type[Problem]] = {
    kind.status: kind
    for kind in (BadRequest, NotFound, MethodNotAllowed, LengthRequired, TooLarge, UnsupportedMediaType)
}


def serialize(row: File) -> dict[str, Any]:
    """A file as every endpoint shows it. Times are RFC 3339 UTC, sizes are bytes."""
    address = f"{request.script_root}/files/{row.id}"
    return {
        "id": row.id,
        "name": row.name,
        "status": row.upload_status,
        "mode": row.mode,
        "size": row.size,
        "content_type": row.content_type,
        "detected_type": row.detected_type,
        "sha256": row.sha256,
        "url": row.url,
        "received_bytes": row.received_bytes,
        "stored_bytes": row.stored_bytes,
        "error": row.error,
        "error_detail": row.error_detail,
        "version_id": row.version_id,
        "expires_at": rfc3339(row.expires_at) if row.expires_at else None,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "links": {"self": address, "content": f"{address}/content", "events": f"{address}/events"},
    }


def etagged(row: File) -> tuple[str, str]:
    """A file as a line of JSON, and the tag of that state: another if, and only if, the JSON is."""
    text = json.dumps(serialize(row), separators=(",", ":"))
    return text, hashlib.sha256(text.encode()).hexdigest()[:32]


def prefers_html() -> bool:
    """Whether the client prefers text/html to JSON (RFC 9110 §12.5.1), as a browser does that opens an address.

    Answers that depend on it say `Vary: Accept`. Scripts and programs send `*/*` or nothing: JSON.
    """
    return request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html"


def negotiate_upload_response(row: File, status: int) -> Response:
    """The answer to an upload: the file, or for a browser's form 303 to the file's page, so that a reload only reads.

    `status` is 201 where the file is stored, 202 where it is safe and on its way.
    """
    body, status, headers = upload_response(row, status)
    answer = Response(status=303, headers=headers) if prefers_html() else make_response(body, status, headers)
    answer.vary.add("Accept")
    return answer


def upload_response(row: File, status: int) -> tuple[dict[str, Any], int, dict[str, str]]:
    """The answer to an upload: 201 where it is stored, 202 where it is safe and on its way."""
    answer = serialize(row)
    return answer, status, {"Location": answer["links"]["self"]}


def problem(error: Problem) -> Response:
    """The problem details (RFC 9457) of `error`."""
    members = error.members(request.script_root + request.path, request.script_root) | {"request_id": request_id.get()}
    # A token in the wrong place, the address say, must not get into what its client writes down.
    answer = Response(redact_tokens(json.dumps(members)), error.status, mimetype="application/problem+json")
    answer.headers.extend(error.headers)
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _http(error: HTTPException) -> Response:
    """Werkzeug's own refusals (no such address, not this method) in our words, with its headers (Allow)."""
    kind = _OF_STATUS.get(error.code or 500, BadRequest if 400 <= (error.code or 500) < 500 else Problem)
    answer = problem(kind())
    answer.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
    return answer


def _check() -> None:
    """Raises NotFound for an address written in another way (//): Werkzeug would redirect, with HTML, past `_http`."""
    if isinstance(request.routing_exception, RequestRedirect):
        raise NotFound


def _database(error: Exception) -> Response:
    log.error("the database is not available: %s", reason(error))
    return problem(DatabaseUnavailable())


def _unexpected(error: Exception) -> Response:
    log.exception("unexpected failure of %s %s", request.method, truncate(request.path))
    return problem(Problem())


def rfc3339(seconds: float) -> str:
    """A time as JSON has it everywhere: UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def init_app(app: Flask) -> None:
    """Answer every failure of the app with a problem: nothing else may leave it, HTML least of all."""
    app.before_request(_check)
    app.register_error_handler(Problem, problem)
    app.register_error_handler(HTTPException, _http)
    for kind in UNAVAILABLE:
        app.register_error_handler(kind, _database)
    app.register_error_handler(Exception, _unexpected)
