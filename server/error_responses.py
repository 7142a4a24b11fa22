"""The problem responses to errors of gunicorn, and to malformed requests."""

from __future__ import annotations

import json
from email.utils import formatdate
from http import HTTPStatus

from gunicorn.http import errors

from problems import (
    BadRequest,
    ExpectationFailed,
    HeadersTooLarge,
    Problem,
    TransferCodingUnknown,
    UriTooLong,
    VersionNotSupported,
)
from server.request_ids import HEADER

_PROBLEMS: list[tuple[type[Exception], type[Problem]]] = [
    (errors.LimitRequestLine, UriTooLong),
    (errors.LimitRequestHeaders, HeadersTooLarge),
    (errors.UnsupportedTransferCoding, TransferCodingUnknown),
    (errors.InvalidHTTPVersion, VersionNotSupported),
    (errors.ExpectationFailed, ExpectationFailed),
    (errors.ConfigurationProblem, Problem),
    (errors.InvalidResponseHeader, Problem),
    (errors.InvalidResponseHeaderName, Problem),
    (errors.ParseException, BadRequest),
]


def to_problem(error: Exception) -> Problem:
    """An error of gunicorn, or one that the app did not handle, as a problem. Contains nothing of the request."""
    if isinstance(error, Problem):
        return error
    return next((problem for kind, problem in _PROBLEMS if isinstance(error, kind)), Problem)()


def error_response(problem: Problem, id: str, *, readable: bool = False) -> bytes:
    """A complete response that closes the connection, for a request of which only the assigned `id` is known.

    `readable`: by pages of all sites. The request's Origin is unknown; the response contains nothing of the request.
    """
    body = json.dumps(problem.members("/") | {"request_id": id}, separators=(",", ":")).encode()
    head = [
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
        f"Date: {formatdate(usegmt=True)}",
        "Connection: close",
        f"{HEADER}: {id}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        *(("Access-Control-Allow-Origin: *",) if readable else ()),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body
