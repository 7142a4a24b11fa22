"""Map failed connections to errors: retryable or not, and with which message. Pure rules but for probe_protocol()."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from ferry_client.errors import ConnectionFailed, WrongAddress, WrongProxy
from ferry_client.proxies import Proxy

_EAI_NAMES = ("EAI_NONAME", "EAI_NODATA", "EAI_FAIL", "EAI_ADDRFAMILY")
_UNKNOWN_HOST = {getattr(socket, name) for name in _EAI_NAMES if hasattr(socket, name)}
"""getaddrinfo() succeeded in finding no address. EAI_AGAIN is excluded: the resolver is unavailable."""

_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
    "UNKNOWN_PROTOCOL",
)
"""Reasons that OpenSSL's versions give for a response that is not TLS."""

_PROBE_TIMEOUT = 5.0


@dataclass(frozen=True)
class Endpoint:
    """A server as errors name it."""

    url: str
    """Without credentials."""
    proxy: Proxy | None = None

    def __str__(self) -> str:
        return f"{self.url} through the proxy {self.proxy}" if self.proxy else self.url

    @property
    def other_scheme(self) -> str:
        """The same address with http in place of https, or the reverse."""
        scheme, rest = self.url.split("://", 1)
        return f"{'http' if scheme == 'https' else 'https'}://{rest}"


def connection_error(error: Exception, endpoint: Endpoint, *, answered: bool, idle: float) -> ConnectionFailed:
    """Return the error for a request without a response: WrongAddress if no pause helps, else ConnectionFailed.

    `answered`: the server has responded before, so that the same failures may be a restart. `idle`: seconds of
    the failed try that count towards `max_retry_seconds`.
    """
    cause = _cause(error)
    permanent = _permanent_error(cause, endpoint)
    text = _text(cause) or str(error) or type(error).__name__
    if permanent and not answered:
        return permanent
    return ConnectionFailed(f"{endpoint} can't be reached: {text}", idle=idle)


def proxy_error(reason: str, endpoint: Endpoint, *, answered: bool) -> ConnectionFailed:
    """Return the error for a refused CONNECT (RFC 9110 §9.3.6). `reason` is the proxy's status line: 4xx is final."""
    text = f"{endpoint} can't be reached: the proxy refuses: {reason}"
    return WrongProxy(text) if reason.startswith("4") and not answered else ConnectionFailed(text)


def _permanent_error(cause: OSError | None, endpoint: Endpoint) -> WrongAddress | None:
    where, error_class = (endpoint.url, WrongAddress)
    if endpoint.proxy:
        where, error_class = f"The proxy {endpoint.proxy}", WrongProxy
    if isinstance(cause, socket.gaierror) and cause.errno in _UNKNOWN_HOST:
        host = urlsplit(endpoint.proxy.url if endpoint.proxy else endpoint.url).hostname
        return error_class(f"{where} can't be reached: the host {host} is unknown ({_text(cause)})")
    if isinstance(cause, ConnectionRefusedError):
        return error_class(f"{where} can't be reached: {_text(cause)}: no server listens there")
    return _permanent_tls_error(cause, endpoint) if isinstance(cause, ssl.SSLError) else None


def _permanent_tls_error(cause: ssl.SSLError, endpoint: Endpoint) -> WrongAddress | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return WrongAddress(f"{endpoint} can't be reached: its certificate is not trusted: {cause.verify_message}")
    if isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return None
    if cause.reason not in _NOT_TLS:
        return WrongAddress(f"{endpoint} can't be reached: TLS failed: {_text(cause)}")
    if endpoint.proxy and endpoint.proxy.scheme == "https":
        return WrongProxy(f"The proxy {endpoint.proxy} speaks no TLS: use http:// in {endpoint.proxy.source}")
    return WrongAddress(f"{endpoint} can't be reached: no TLS is spoken there: use {endpoint.other_scheme}")


def _cause(error: BaseException | None) -> OSError | None:
    """Return the system's error beneath those of the libraries."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _text(cause: OSError | None) -> str:
    if cause is None:
        return ""
    if isinstance(cause, ssl.SSLError) and (reason := getattr(cause, "reason", None)):
        return str(reason).replace("_", " ").lower()
    return cause.strerror or str(cause)


def probe_protocol(url: str) -> str | None:
    """Return a sentence on the protocol at an http address that closes connections without a response, or None.

    Connects once more and starts a TLS handshake. A TLS server closes a plain connection silently but responds to the
    handshake; SSH, SMTP and Redis send a line of their own; an HTTP server responds in HTTP.
    """
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 80), _PROBE_TIMEOUT) as connection:
            connection.sendall(_client_hello())
            reply = connection.recv(64)
    except OSError:
        return None
    if reply.startswith((b"\x15\x03", b"\x16\x03")):  # An alert or a handshake record of TLS (RFC 8446 §5.1).
        return f"{url} can't be reached: TLS is spoken there: use {Endpoint(url).other_scheme}"
    if reply and not reply.startswith((b"HTTP/", b"<")):  # Some servers refuse in HTTP/0.9: a page without a header.
        banner = reply.splitlines()[0][:40].decode("latin-1")
        return f"{url} can't be reached: what answers there is not HTTP: {banner!r}"
    return None


def _client_hello() -> bytes:
    """Return the first bytes of a TLS handshake."""
    context, outgoing = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.MemoryBIO()
    context.check_hostname = False
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()
