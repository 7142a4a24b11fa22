"""How responses are sent, and gunicorn's own errors as problem responses."""

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
from typing_extensions import override

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


class BoundedResponse(Response):  # type: ignore[misc]
    """gunicorn's response without the Server header. Closes the connection if the request body was not fully read.

    The head, and a body that is one block, are sent within the client's send slots. A streamed body holds one of its
    client's transfer slots already.
    """

    slots: SendSlots
    new_min_rate: Callable[[], MinRate]

    def __init__(self, req: Any, sock: Any, cfg: Any) -> None:
        super().__init__(req, sock, cfg)
        if type(sock) is socket.socket:
            client = network(peer_address(req.peer_addr))
            self.sock = ResponseSocket(sock, client, type(self).slots, type(self).new_min_rate())

    @override
    def can_sendfile(self) -> bool:
        # The static files are small. Without this they would bypass the send slots.
        return False

    @override
    def _emit_body(self, data: bytes) -> None:
        is_whole_body = not self.chunked and len(data) == self.response_length
        util.write(self.sock if is_whole_body else getattr(self.sock, "raw", self.sock), data, self.chunked)

    @override
    def should_close(self) -> bool:
        return bool(super().should_close()) or has_unread_body(self.req.body)

    @override
    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]


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
