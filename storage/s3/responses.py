"""Responses of the storage, and the parser that builds them from received bytes: llhttp's rules, Ferry's limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import httptools

MAX_BODY = 1 << 20
"""Bytes of a body that are read into memory."""

_MAX_HEAD, _MAX_HEADERS = 64 << 10, 100
_TOO_LARGE = "the response head is too large"
_FRAMING = ("content-length", "transfer-encoding")
_ERROR = re.compile(rb"\s*(<\?xml[^>]*>)?\s*<Error\b")


@dataclass(frozen=True)
class Response:
    """A complete response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The S3 error code in the body; empty if absent."""
        found = re.search(rb"<Code>\s*(\w+)", self.body)
        return found[1].decode() if found else ""


class MalformedResponse(OSError):
    """The storage sent something else than an HTTP response."""


class ResponseParser:
    """One response, built from bytes that come in any pieces. Interim responses (1xx) are skipped.

    `status` and `headers` are those of the final response; 0 until its head is complete.
    """

    def __init__(self, method: str) -> None:
        self._is_head = method == "HEAD"
        self.status, self.headers, self.body = 0, dict[str, str](), bytearray()
        self.is_complete = self.keeps_alive = False
        self._received = self._headers = 0
        # llhttp holds this object's callbacks: `finish` ends the cycle.
        self._llhttp: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Parse the next bytes. Raises MalformedResponse unless the response was complete before."""
        if not self.status:
            self._received += len(data)
        try:
            cast("httptools.HttpResponseParser", self._llhttp).feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.keeps_alive = False
            if not self.is_complete:
                raise MalformedResponse(str(error.__context__ or error)) from error
        if not self.status and self._received > _MAX_HEAD:
            raise MalformedResponse(_TOO_LARGE)

    def end(self) -> None:
        """The connection has ended. Raises ConnectionError unless that completes the response."""
        if not self.status or any(name in self.headers for name in _FRAMING):
            raise ConnectionError("the connection ended inside the response")
        self.is_complete = True

    def finish(self) -> None:
        """Release llhttp; no more bytes can be parsed."""
        self._llhttp = None

    def response(self) -> Response:
        """Finish, and return the response received so far. A 200 whose body is an error counts as 500."""
        self.finish()
        # S3 sends the head of Complete's response long before the result is known, and spaces meanwhile.
        status = 500 if self.status == 200 and _ERROR.match(self.body) else self.status
        return Response(status, self.headers, bytes(self.body))

    def on_message_begin(self) -> None:
        """llhttp: the next message begins."""
        if self.status:
            raise ValueError("a second response")
        self.headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """llhttp: a header, or a trailer, which is ignored."""
        if self.status:
            return
        self._headers += 1
        if self._headers > _MAX_HEADERS or len(value) > _MAX_HEAD:
            raise ValueError(_TOO_LARGE)
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        """llhttp: the end of a head."""
        llhttp = cast("httptools.HttpResponseParser", self._llhttp)
        if (status := llhttp.get_status_code()) >= 200:
            self.status, self.keeps_alive = status, llhttp.should_keep_alive()
            # llhttp does not know that the response to HEAD has no body.
            self.is_complete = self._is_head

    def on_body(self, body: bytes) -> None:
        """llhttp: bytes of the body."""
        if self._is_head:
            raise ValueError("a body after HEAD")
        self.body += body

    def on_message_complete(self) -> None:
        """llhttp: the end of a message."""
        self.is_complete = bool(self.status)
