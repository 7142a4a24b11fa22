"""Responses: a file as JSON, an error as problem+json (RFC 9457)."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from flask import Flask, Response, g, json, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from api import schemas
from content.redaction import redact_tokens
from database.engine import UNAVAILABLE, describe
from logs import truncate
from models import FileRow
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


def file_shape(row: FileRow) -> schemas.File:
    """A file as every endpoint shows it."""
    return schemas.File.from_row(row, request.script_root)


def etagged(row: FileRow) -> tuple[str, str]:
    """A file as one line of JSON, and its ETag: a digest of that line."""
    line = _encode(file_shape(row))
    return line.decode(), hashlib.sha256(line).hexdigest()[:32]


def json_response(shape: msgspec.Struct, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`shape` as application/json."""
    return Response(_encode(shape) + b"\n", status, headers, mimetype="application/json")


def _encode(shape: msgspec.Struct) -> bytes:
    """`shape` as JSON in ASCII: some clients take application/json for ISO 8859-1, such as Windows PowerShell 5.1.

    Escapes also carry half a surrogate pair, as an unknown id in a request may have it.
    """
    with suppress(UnicodeEncodeError):
        line = msgspec.json.encode(shape)
        if line.isascii():
            return line
    return json.dumps(msgspec.to_builtins(shape), separators=(",", ":")).encode()


def prefers_html() -> bool:
    """Whether the client prefers text/html to JSON (RFC 9110 §12.5.1): a browser that navigates.

    Responses that depend on it need `Vary: Accept`. Scripts send `*/*` or no Accept, and get JSON.
    """
    return request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html"


def negotiate_upload_response(row: FileRow, status: int) -> Response:
    """The response to an upload: the file as JSON, or for a browser's form 303 to the file's page.

    After the redirect a reload of the page does not send the form again. `status`: as in upload_response.
    """
    response = upload_response(row, status)
    if prefers_html():
        response = Response(status=303, headers={"Location": response.headers["Location"]})
    response.vary.add("Accept")
    return response


def upload_response(row: FileRow, status: int) -> Response:
    """The response to an upload as JSON. `status` is 201 for a stored file, 202 for an accepted one."""
    shape = file_shape(row)
    return json_response(shape, status, {"Location": shape.links.self})


def problem(error: Problem) -> Response:
    """The problem details (RFC 9457) of `error`."""
    members = error.members(request.script_root + request.path, request.script_root) | {"request_id": g.request_id}
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
