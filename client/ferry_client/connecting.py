"""What a failed connection means: whether it may pass, and what to say of it. Pure rules but for looks_like()."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from ferry_client.errors import Unreachable, WrongAddress, WrongProxy
from ferry_client.proxies import Proxy

_NAMES = ("EAI_NONAME", "EAI_NODATA", "EAI_FAIL", "EAI_ADDRFAMILY")
_UNKNOWN_NAME = {getattr(socket, name) for name in _NAMES if hasattr(socket, name)}
"""getaddrinfo() has an answer, and it is no address. EAI_AGAIN is not among them: the resolver is away."""

_PLAIN = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL")
"""OpenSSL's words, in its versions, for an answer that is not TLS."""

_PROBE_SECONDS = 5.0


@dataclass(frozen=True)
class Place:
    """A server as errors name it: its address without credentials, and the proxy in front of it."""

    url: str
    proxy: Proxy | None = None

    def __str__(self) -> str:
        return f"{self.url} through the proxy {self.proxy}" if self.proxy else self.url

    @property
    def other_scheme(self) -> str:
        """The same address with http instead of https, or the other way round."""
        scheme, rest = self.url.split("://", 1)
        return f"{'http' if scheme == 'https' else 'https'}://{rest}"


def failure(error: Exception, place: Place, *, answered: bool, idle: float) -> Unreachable:
    """The error for a request without an answer: WrongAddress where no pause helps, else Unreachable.

    `answered`: a server has answered there before, so that the same failures are those of a restart. `idle` is the time
    in seconds in which nothing was transferred.
    """
    cause = _cause(error)
    hopeless = _hopeless(cause, place)
    text = _text(cause) or str(error) or type(error).__name__
    if hopeless and not answered:
        return hopeless
    return Unreachable(f"{place} can't be reached: {text}", idle=idle)


def refused_by_proxy(said: str, place: Place, *, answered: bool) -> Unreachable:
    """The error for a proxy that does not connect. `said` is its answer to CONNECT (RFC 9110 §9.3.6): 4xx is final."""
    text = f"{place} can't be reached: the proxy refuses: {said}"
    return WrongProxy(text) if said.startswith("4") and not answered else Unreachable(text)


def _hopeless(cause: OSError | None, place: Place) -> WrongAddress | None:
    """The error for what no pause mends."""
    where, kind = (f"The proxy {place.proxy}", WrongProxy) if place.proxy else (place.url, WrongAddress)
    if isinstance(cause, socket.gaierror) and cause.errno in _UNKNOWN_NAME:
        host = urlsplit(place.proxy.url if place.proxy else place.url).hostname
        return kind(f"{where} can't be reached: the host {host} is unknown ({_text(cause)})")
    if isinstance(cause, ConnectionRefusedError):
        return kind(f"{where} can't be reached: {_text(cause)}: no server listens there")
    if isinstance(cause, ssl.SSLCertVerificationError):
        return WrongAddress(f"{place} can't be reached: its certificate is not trusted: {cause.verify_message}")
    if not isinstance(cause, ssl.SSLError) or isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return None
    if cause.reason not in _PLAIN:
        return WrongAddress(f"{place} can't be reached: TLS failed: {_text(cause)}")
    if place.proxy and place.proxy.scheme == "https":
        return WrongProxy(f"{where} speaks no TLS: use http:// in {place.proxy.source}")
    return WrongAddress(f"{place} can't be reached: no TLS is spoken there: use {place.other_scheme}")


def _cause(error: BaseException | None) -> OSError | None:
    """The system's own error beneath those of the libraries."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _text(cause: OSError | None) -> str:
    if cause is None:
        return ""
    if isinstance(cause, ssl.SSLError) and (reason := getattr(cause, "reason", None)):
        return str(reason).replace("_", " ").lower()
    return cause.strerror or str(cause)


def looks_like(url: str) -> str | None:
    """What speaks at an http address whose connections close without an HTTP answer: a sentence, or None.

    Connects once more, and begins a TLS handshake. Servers that expect TLS close a plain connection without a word, but
    answer this; those of other protocols (SSH, SMTP, Redis) send a line of their own; one of HTTP refuses it in HTTP.
    """
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 80), _PROBE_SECONDS) as line:
            line.sendall(_client_hello())
            said = line.recv(64)
    except OSError:
        return None
    if said.startswith((b"\x15\x03", b"\x16\x03")):  # An alert or a handshake of TLS (RFC 8446 §5.1).
        return f"{url} can't be reached: TLS is spoken there: use {Place(url).other_scheme}"
    if said and not said.startswith((b"HTTP/", b"<")):  # Some refuse in HTTP/0.9: a page without a head.
        first = said.splitlines()[0][:40].decode("latin-1")
        return f"{url} can't be reached: what answers there is not HTTP: {first!r}"
    return None


def _client_hello() -> bytes:
    """The first bytes of a TLS handshake."""
    context, sent = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.MemoryBIO()
    context.check_hostname = False
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent).do_handshake()
    return sent.read()
