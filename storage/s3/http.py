"""HTTP to the storage for the bytes themselves: urllib3's pools and proxies, with Ferry's retries.

boto3 needs several times the CPU for a call and copies the body. Requests arrive signed. A body is memory that can be
sent again, so every request may be repeated.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar, cast

import urllib3
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError, ProxyError, SSLError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError

from storage.base import StorageUnavailable
from storage.body_reader import BodyReader
from storage.s3 import connection
from storage.s3.connection import Connection, TLSConnection
from storage.s3.retries import ATTEMPTS, Failure, pause, should_retry

_SUCCESSES = (200, 206)
_PORTS = {"http": 80, "https": 443}
_IDLE_CONNECTIONS = 128
_MAX_BODY = 1 << 20
_READ = 64 << 10
_ERROR = re.compile(rb"\s*(<\?xml[^>]*>)?\s*<Error\b")
_FAILURES = (HTTPError, http.client.HTTPException, OSError)
_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]

Body = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Proxy:
    """The proxy between Ferry and the storage: its URL, and the headers that authenticate Ferry there."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


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


@dataclass(frozen=True)
class StreamingResponse:
    """A success whose body is still being received. Read it to the end or close it."""

    status: int
    headers: Mapping[str, str]
    body: BodyReader


R = TypeVar("R", Response, Response | StreamingResponse)


class HttpClient:
    """Connections to one address. Thread-safe; each request has its own connection."""

    def __init__(self, scheme: str, netloc: str, ca_bundle: str | None = None, proxy: Proxy | None = None) -> None:
        parsed = urllib3.util.parse_url(f"{scheme}://{netloc}")
        host, port = parsed.host or "", parsed.port or _PORTS[scheme]
        self._host_header = host if port == _PORTS[scheme] else f"{host}:{port}"
        # A proxy without a tunnel needs the absolute URL as request target.
        self._base = f"{scheme}://{self._host_header}" if proxy and scheme == "http" else ""
        needs_tls = scheme == "https" or (proxy is not None and proxy.url.startswith("https:"))
        tls = _tls(ca_bundle) if needs_tls else None
        try:
            self._manager = _manager(tls, proxy)
            self._pool = self._manager.connection_from_host(host, port, scheme)
        except (HTTPError, ValueError) as error:
            raise no_response_error(Failure.PROXY, error) from error

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
        return self._with_retries(lambda: _read(self._send(method, target, sign(), body, silence)), attempts, silence)

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
        self._manager.clear()

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

    def _send(self, method: str, target: str, headers: Mapping[str, str], body: Body, silence: float) -> Any:
        return self._pool.urlopen(
            method,
            self._base + target,
            body=cast("bytes", body) if body or method in ("PUT", "POST") else None,
            headers={"Host": self._host_header, "User-Agent": "ferry", **headers},
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=urllib3.Timeout(connect=connection.CONNECT_SECONDS, read=silence),
            preload_content=False,
            decode_content=False,
        )

    def _open(self, target: str, headers: Mapping[str, str]) -> Response | StreamingResponse:
        response = self._send("GET", target, headers, b"", connection.SILENCE_SECONDS)
        if response.status not in _SUCCESSES:
            return _read(response)
        received = _headers(response)
        if not received.get("content-length", "").isdecimal():
            response.close()
            raise ConnectionError("an object without a length")
        return StreamingResponse(response.status, received, BodyReader(response, int(received["content-length"])))


def no_response_error(failure: Failure, error: Exception) -> StorageUnavailable:
    """Return the problem for a request that got no response."""
    return StorageUnavailable(f"The storage {failure.value}.", message=type(error).__name__)


def failure_of(error: Exception) -> Failure:
    """Return why a request got no response, by urllib3's exception."""
    if isinstance(error, ProxyError):
        return Failure.PROXY
    if isinstance(error, SSLError):
        cause = error.args[0] if error.args else None
        return Failure.UNTRUSTED if isinstance(cause, ssl.SSLCertVerificationError) else Failure.LOST
    if isinstance(error, NewConnectionError | ConnectTimeoutError):
        return Failure.UNREACHABLE
    if isinstance(error, ProtocolError) and isinstance(error.args[-1], TimeoutError):
        return Failure.SILENT
    return Failure.SILENT if isinstance(error, HTTPTimeoutError | TimeoutError) else Failure.LOST


class _Pool(HTTPConnectionPool):
    ConnectionCls = Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = TLSConnection


def _tls(ca_bundle: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise StorageUnavailable("AWS_CA_BUNDLE does not name a file of certificates.", message=str(error)) from error


def _manager(tls: ssl.SSLContext | None, proxy: Proxy | None) -> urllib3.PoolManager:
    options: dict[str, Any] = {"maxsize": _IDLE_CONNECTIONS, "ssl_context": tls, "socket_options": _SOCKET_OPTIONS}
    manager: urllib3.PoolManager
    if proxy:
        headers = dict(proxy.headers)
        manager = urllib3.ProxyManager(proxy.url, proxy_headers=headers, proxy_ssl_context=tls, **options)
    else:
        manager = urllib3.PoolManager(**options)
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return manager


def _headers(response: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _read(response: Any) -> Response:
    """Read a whole response. An error response counts even if its body is truncated: the request may have been too."""
    body, status = b"", response.status
    try:
        while len(body) < _MAX_BODY and (chunk := response.read(_READ)):
            body += chunk
    except HTTPError:
        response.close()
        if status < 300:
            raise
    if len(body) >= _MAX_BODY:
        response.close()
    # S3 sends the head of Complete's response long before the result is known, and spaces meanwhile.
    if status == 200 and _ERROR.match(body):
        status = 500
    return Response(status, _headers(response), body)
