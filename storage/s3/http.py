"""HTTP to the storage for the bytes themselves: urllib3's pools and proxies, with Ferry's retries.

boto3 spends several times the CPU on a call and copies what it sends. Requests come in signed. A body is memory that
can be sent again, so that every request may be repeated.
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
    """The status, the headers with names in lower case, the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The S3 error code of the body; empty where it has none."""
        found = re.search(rb"<Code>\s*(\w+)", self.body)
        return found[1].decode() if found else ""


@dataclass(frozen=True)
class StreamingResponse:
    """A success whose body is still coming in. It has to be read to its end, or closed."""

    status: int
    headers: Mapping[str, str]
    body: BodyReader


R = TypeVar("R", Response, Response | StreamingResponse)


class HttpClient:
    """Connections to one address. May be used from any thread; each request has a connection for itself."""

    def __init__(self, scheme: str, netloc: str, ca_bundle: str | None = None, proxy: Proxy | None = None) -> None:
        place = urllib3.util.parse_url(f"{scheme}://{netloc}")
        host, port, usual = place.host or "", place.port or _PORTS[scheme], _PORTS[scheme]
        self._host_header = host if port == usual else f"{host}:{port}"
        # A proxy that is not tunnelled through is asked for the whole address.
        self._base = f"{scheme}://{self._host_header}" if proxy and scheme == "http" else ""
        needs_tls = scheme == "https" or (proxy is not None and proxy.url.startswith("https:"))
        tls = _tls(ca_bundle) if needs_tls else None
        try:
            self._manager = _manager(tls, proxy)
            self._pool = self._manager.connection_from_host(host, port, scheme)
        except (HTTPError, ValueError) as error:
            raise no_answer(Failure.PROXY, error) from error

    def request(
        self,
        method: str,
        target: str,
        signed: Callable[[], Mapping[str, str]],
        body: Body = b"",
        attempts: int = ATTEMPTS,
        silence: float | None = None,
    ) -> Response:
        """Send and return what the storage answers, whatever its status, after repeating what may pass.

        `signed` returns the headers, anew for every attempt: a signature ages. `silence`: seconds without a byte after
        which the answer is given up. A 200 whose body is an error counts as 500. Raises StorageUnavailable if the last
        attempt got no answer; whether the storage did what it was asked is not known then.
        """
        silence = silence or connection.SILENCE_SECONDS
        return self._with_retries(lambda: _read(self._send(method, target, signed(), body, silence)), attempts, silence)

    def open(
        self, target: str, signed: Callable[[], Mapping[str, str]], attempts: int = ATTEMPTS
    ) -> Response | StreamingResponse:
        """GET like `request`, but leave the body of a success to the caller, to be read or closed.

        A client waits for these bytes: a storage that is silent is not asked again.
        """
        return self._with_retries(
            lambda: self._open(target, signed()), attempts, connection.SILENCE_SECONDS, retry_silence=False
        )

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close()
        self._manager.clear()

    def _with_retries(self, once: Callable[[], R], attempts: int, silence: float, *, retry_silence: bool = True) -> R:
        waited = 0.0
        for attempt in count(1):
            began = time.monotonic()
            try:
                response = once()
            except _FAILURES as error:
                failure = failure_of(error)
                if failure is not Failure.LOST:
                    waited += min(time.monotonic() - began, silence)
                if not should_retry(attempt, waited, failure=failure, attempts=attempts, retry_silence=retry_silence):
                    raise no_answer(failure, error) from error
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
        found = self._send("GET", target, headers, b"", connection.SILENCE_SECONDS)
        if found.status not in _SUCCESSES:
            return _read(found)
        named = _headers(found)
        if not named.get("content-length", "").isdecimal():
            found.close()
            raise ConnectionError("an object without a length")
        return StreamingResponse(found.status, named, BodyReader(found, int(named["content-length"])))


def no_answer(failure: Failure, error: Exception) -> StorageUnavailable:
    """The problem for a request without an answer."""
    return StorageUnavailable(f"The storage {failure.value}.", message=type(error).__name__)


def failure_of(error: Exception) -> Failure:
    """What kept a request from being answered, by the exception of urllib3."""
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
    found: urllib3.PoolManager
    if proxy:
        headers = dict(proxy.headers)
        found = urllib3.ProxyManager(proxy.url, proxy_headers=headers, proxy_ssl_context=tls, **options)
    else:
        found = urllib3.PoolManager(**options)
    found.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return found


def _headers(found: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in found.headers.items()}


def _read(found: Any) -> Response:
    """The whole answer. A refusal is one even if its body was cut off, as the request may have been itself."""
    body, status = b"", found.status
    try:
        while len(body) < _MAX_BODY and (piece := found.read(_READ)):
            body += piece
    except HTTPError:
        found.close()
        if status < 300:
            raise
    if len(body) >= _MAX_BODY:
        found.close()
    # S3 sends the head of a Complete's answer long before it knows how it ends, and spaces meanwhile.
    if status == 200 and _ERROR.match(body):
        status = 500
    return Response(status, _headers(found), body)
