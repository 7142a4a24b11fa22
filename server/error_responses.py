"""Answers as they go onto the wire, and gunicorn's own refusals as problems."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from gunicorn import util
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
from server.addresses import network, peer_address
from server.body import has_unread_body
from server.min_rate import MinRate
from server.outgoing import ResponseSocket, SendSlots
from server.request_ids import HEADER

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


class BoundedResponse(Response):  # type: ignore[misc]
    """gunicorn's answer without its banner. It ends the connection where some of the body may still be on its way.

    Its head, and a body that is there as a whole, go out by a place of the client's (`places`). A body that comes in
    pieces has a slot of its caller already.
    """

    places: SendSlots
    pace: Callable[[], MinRate]

    def __init__(self, req: Any, sock: Any, cfg: Any) -> None:
        super().__init__(req, sock, cfg)
        if type(sock) is socket.socket:
            client = network(peer_address(req.peer_addr))
            self.sock = ResponseSocket(sock, client, type(self).places, type(self).pace())

    def can_sendfile(self) -> bool:
        """No: the files of the page are small, and go out like any other body."""
        return False

    def _emit_body(self, data: bytes) -> None:
        is_whole = not self.chunked and len(data) == self.response_length
        util.write(self.sock if is_whole else getattr(self.sock, "straight", self.sock), data, self.chunked)

    def should_close(self) -> bool:
        return bool(super().should_close()) or has_unread_body(self.req.body)

    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]


def to_problem(error: Exception) -> Problem:
    """What gunicorn could not take, or what the app has let through, in our words. Nothing of the input is repeated."""
    if isinstance(error, Problem):
        return error
    return next((ours for theirs, ours in _KINDS if isinstance(error, theirs)), Problem)()


def error_response(problem: Problem, id: str, *, readable: bool = False) -> bytes:
    """A whole answer that ends the connection, for a request of which nothing is known but the `id` it was given.

    `readable`: to pages of all sites. The request's Origin is not known, and nothing of the request is repeated.
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
