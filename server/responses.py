"""How responses to clients are sent."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from gunicorn import util
from gunicorn.http.wsgi import Response
from typing_extensions import override

from server.addresses import network, peer_address
from server.body import has_body_in_flight
from server.min_rate import MinRate
from server.outgoing import ResponseSocket, SendSlots


class LimitedResponse(Response):  # type: ignore[misc]
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
        return bool(super().should_close()) or has_body_in_flight(self.req.body)

    @override
    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]
