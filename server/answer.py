"""Answers as they go onto the wire, and gunicorn's own refusals as problems."""

from __future__ import annotations

import json
from email.utils import formatdate
from http import HTTPStatus

from gunicorn.http import errors
from gunicorn.http.wsgi import Response

from problems import (
    BadRequest,
    ExpectationFailed,
    HeadersTooLarge,
    Problem,
    TransferCodingUnknown,
    UriTooLong,
    VersionNotSupported,
)
from server.body import is_owed
from server.ids import HEADER

_KINDS: list[tuple[type[Exception], type[Problem]]] = [
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


class Answer(Response):  # type: ignore[misc]
    """gunicorn's answer without its banner. It ends the connection where some of the body may still be on its way."""

    def should_close(self) -> bool:
        return bool(super().should_close()) or is_owed(self.req.body)

    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]


def problem_of(error: Exception) -> Problem:
    """What gunicorn could not take, or what the app has let through, in our words. Nothing of the input is repeated."""
    if isinstance(error, Problem):
        return error
    return next((ours for theirs, ours in _KINDS if isinstance(error, theirs)), Problem)()


def refusal(problem: Problem, id: str) -> bytes:
    """A whole answer that ends the connection, for a request of which nothing is known but the `id` it was given."""
    body = json.dumps(problem.members("/") | {"request_id": id}, separators=(",", ":")).encode()
    head = [
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
        f"Date: {formatdate(usegmt=True)}",
        "Connection: close",
        f"{HEADER}: {id}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body
