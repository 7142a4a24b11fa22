"""Responses: a file as JSON, an error as problem+json (RFC 9457)."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from flask import Flask, Response, json, make_response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from content.redaction import redact_tokens
from database.engine import UNAVAILABLE, describe
from logs import request_id, rfc3339, truncate
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

_BY_STATUS: dict[int, type[Problem]] = {
    kind.status: kind
    for kind in (BadRequest, NotFound, MethodNotAllowed, LengthRequired, TooLarge, UnsupportedMediaType)
}


def serialize(row: File) -> dict[str, Any]:
    """A file as JSON, the same at every endpoint. Times are RFC 3339 UTC, sizes bytes."""
    path = f"{request.script_root}/files/{row.id}"
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
        "links": {"self": path, "content": f"{path}/content", "events": f"{path}/events"},
    }


def etagged(row: File) -> tuple[str, str]:
    """A file as one line of JSON, and its ETag: a digest of that line."""
    text = json.dumps(serialize(row), separators=(",", ":"))
    return text, hashlib.sha256(text.encode()).hexdigest()[:32]


def prefers_html() -> bool:
    """Whether the client prefers text/html to JSON (RFC 9110 §12.5.1): a browser that navigates.

    Responses that depend on it need `Vary: Accept`. Scripts send `*/*` or no Accept, and get JSON.
    """
    return request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html"


def negotiate_upload_response(row: File, status: int) -> Response:
    """The response to an upload: the file as JSON, or for a browser's form 303 to the file's page.

    After the redirect a reload of the page does not send the form again. `status`: as in upload_response.
    """
    body, status, headers = upload_response(row, status)
    response = Response(status=303, headers=headers) if prefers_html() else make_response(body, status, headers)
    response.vary.add("Accept")
    return response


def upload_response(row: File, status: int) -> tuple[dict[str, Any], int, dict[str, str]]:
    """The response to an upload as JSON. `status` is 201 for a stored file, 202 for an accepted one."""
    body = serialize(row)
    return body, status, {"Location": body["links"]["self"]}


def problem(error: Problem) -> Response:
    """The problem details (RFC 9457) of `error`."""
    members = error.members(request.script_root + request.path, request.script_root) | {"request_id": request_id.get()}
    # A token in the wrong place, such as the path, must not end up in the client's log.
    response = Response(redact_tokens(json.dumps(members)), error.status, mimetype="application/problem+json")
    response.headers.extend(error.headers)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _http_error(error: HTTPException) -> Response:
    """Werkzeug's own errors (no such path, method not allowed) as problems, with the header Allow."""
    kind = _BY_STATUS.get(error.code or 500, BadRequest if 400 <= (error.code or 500) < 500 else Problem)
    response = problem(kind())
    response.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
    return response


def _reject_redirect() -> None:
    """Raise NotFound for a path with `//`: Werkzeug would redirect with an HTML body, bypassing the error handlers."""
    if isinstance(request.routing_exception, RequestRedirect):
        raise NotFound


def _database_unavailable(error: Exception) -> Response:
    log.error("database.unavailable: %s", describe(error))
    return problem(DatabaseUnavailable())


def _internal_error(error: Exception) -> Response:
    log.exception("request.failed: %s %s", request.method, truncate(request.path))
    return problem(Problem())


def init_app(app: Flask) -> None:
    """Answer every error with a problem, never with HTML."""
    app.before_request(_reject_redirect)
    app.register_error_handler(Problem, problem)
    app.register_error_handler(HTTPException, _http_error)
    for kind in UNAVAILABLE:
        app.register_error_handler(kind, _database_unavailable)
    app.register_error_handler(Exception, _internal_error)
