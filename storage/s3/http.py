"""HTTP to the storage for the bytes themselves: kept connections, with Ferry's retries.

boto3 needs several times the CPU for a call and copies the body; urllib3's request, which builds on http.client, needs
several times the CPU of a small PUT. Requests arrive signed. A body is memory that can be sent again, so every request
may be repeated.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import TypeVar

from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError

from storage.base import StorageUnavailable
from storage.s3 import connection
from storage.s3.body_reader import BodyReader, StreamingResponse
from storage.s3.connection import Connection
from storage.s3.pool import ConnectionPool, Proxy, host_header
from storage.s3.responses import Response
from storage.s3.retries import ATTEMPTS, Failure, pause, should_retry

_SUCCESSES = (200, 206)
_FAILURES = (HTTPError, OSError)

Body = bytes | bytearray | memoryview
R = TypeVar("R", Response, Response | StreamingResponse)


class HttpClient:
    """Requests to one address. Thread-safe; each request has its own connection."""

    def __init__(self, scheme: str, netloc: str, ca_bundle: str | None = None, proxy: Proxy | None = None) -> None:
        try:
            self._pool = ConnectionPool(scheme, netloc, ca_bundle, proxy)
        except HTTPError as error:
            raise no_response_error(Failure.PROXY, error) from error
        self._host_header = host_header(scheme, netloc)
        # A proxy without a tunnel needs the absolute URL as request target.
        self._base = f"{scheme}://{self._host_header}" if proxy and scheme == "http" else ""
        common = {"Host": self._host_header, "User-Agent": "ferry", "Accept-Encoding": "identity"}
        self._common = _header_lines({**common, **self._pool.forward_headers})

    def request(
        self,
        method: str,
        target: str,
        sign: Callable[[], Mapping[str, str]],
        body: Body = b"",
        attempts: int = ATTEMPTS,
        silence: float | None = None,
    ) -> Response:
        """Send a request, repeat it while the failure may pass, and return the response whatever its status.

        `sign` returns the headers anew for every attempt, because signatures expire. `silence`: timeout in seconds
        without a byte. A 200 whose body is an error counts as 500. Raises StorageUnavailable if the last attempt got no
        response; it is unknown then whether the storage executed the request.
        """
        silence = silence or connection.SILENCE_SECONDS
        return self._with_retries(lambda: self._request(method, target, sign(), body, silence), attempts, silence)

    def open(
        self, target: str, sign: Callable[[], Mapping[str, str]], attempts: int = ATTEMPTS
    ) -> Response | StreamingResponse:
        """GET like `request`, but leave the body of a success to the caller, who reads or closes it.

        A client waits for these bytes, so a silent storage is not retried.
        """
        return self._with_retries(
            lambda: self._open(target, sign()), attempts, connection.SILENCE_SECONDS, retry_silence=False
        )

    def close(self) -> None:
        """Close idle connections."""
        self._pool.close()

    def _with_retries(self, send: Callable[[], R], attempts: int, silence: float, *, retry_silence: bool = True) -> R:
        waited = 0.0
        for attempt in count(1):
            began = time.monotonic()
            try:
                response = send()
            except _FAILURES as error:
                failure = failure_of(error)
                if failure is not Failure.LOST:
                    waited += min(time.monotonic() - began, silence)
                if not should_retry(attempt, waited, failure=failure, attempts=attempts, retry_silence=retry_silence):
                    raise no_response_error(failure, error) from error
            else:
                code = response.code if isinstance(response, Response) else ""
                if not should_retry(attempt, waited, status=response.status, code=code, attempts=attempts):
                    return response
            wait = pause(attempt)
            time.sleep(wait)
            waited += wait
        raise AssertionError

    def _request(self, method: str, target: str, headers: Mapping[str, str], body: Body, silence: float) -> Response:
        head = self._request_head(method, target, headers, len(body))
        line = self._pool.acquire()
        try:
            line.exchange(method, head, memoryview(body), silence)
            return line.read()
        finally:
            self._pool.release(line, line.is_reusable)

    def _open(self, target: str, headers: Mapping[str, str]) -> Response | StreamingResponse:
        head = self._request_head("GET", target, headers, 0)
        line = self._pool.acquire()
        body: BodyReader | None = None
        try:
            parser = line.exchange("GET", head, memoryview(b""), connection.SILENCE_SECONDS)
            if parser.status not in _SUCCESSES:
                return line.read()
            if "content-length" not in parser.headers:
                raise ConnectionError("an object without a length")
            parser.finish()
            release = partial(self._release_stream, line, parser.keeps_alive)
            body = BodyReader(bytes(parser.body), int(parser.headers["content-length"]), line.recv, release)
            return StreamingResponse(parser.status, parser.headers, body)
        finally:
            if body is None:
                self._pool.release(line, line.is_reusable)

    def _release_stream(self, line: Connection, keeps_alive: bool, is_complete: bool) -> None:
        self._pool.release(line, keeps_alive and is_complete)

    def _request_head(self, method: str, target: str, headers: Mapping[str, str], length: int) -> bytes:
        """Return the request head. Raises ValueError for a header value with a line break."""
        framing = f"Content-Length: {length}\r\n" if length or method in ("PUT", "POST") else ""
        lines = f"{method} {self._base}{target} HTTP/1.1\r\n{self._common}{framing}{_header_lines(headers)}\r\n"
        return lines.encode("latin-1")


def no_response_error(failure: Failure, error: Exception) -> StorageUnavailable:
    """Return the problem for a request that got no response."""
    return StorageUnavailable(f"The storage {failure.value}.", message=type(error).__name__)


def failure_of(error: Exception) -> Failure:
    """Return why a request got no response."""
    if isinstance(error, ProxyError):
        return Failure.PROXY
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure.UNTRUSTED
    if isinstance(error, NewConnectionError | ConnectTimeoutError):
        return Failure.UNREACHABLE
    return Failure.SILENT if isinstance(error, TimeoutError) else Failure.LOST


def _header_lines(headers: Mapping[str, str]) -> str:
    """Return header lines. Raises ValueError for a line break in one of them: it could begin another header."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\r") != len(headers) or lines.count("\n") != len(headers):
        raise ValueError("a line break in a header")
    return lines
