"""Kept connections to one address. urllib3 makes them: name lookup, IPv6, TLS, and the proxy's tunnel."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.exceptions import HTTPError, ProxyError
from urllib3.util import Url, parse_url

from storage.base import StorageUnavailable
from storage.s3.connection import CONNECT_SECONDS, Connection

_PORTS = {"http": 80, "https": 443}
_IDLE_CONNECTIONS = 128
_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]


@dataclass(frozen=True)
class Proxy:
    """The proxy between Ferry and the storage: its URL, and the headers that authenticate Ferry there."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class ConnectionPool:
    """Connections to one address, direct or through a proxy. Thread-safe."""

    def __init__(self, scheme: str, netloc: str, ca_bundle: str | None, proxy: Proxy | None) -> None:
        """Connects to nothing yet. Raises HTTPError if the proxy's URL can't be used."""
        self._scheme = scheme
        self._host, self._port = _address(scheme, netloc)
        self._proxy, self._proxy_headers = _proxy_url(proxy), dict(proxy.headers) if proxy else {}
        needs_tls = "https" in (scheme, self._proxy and self._proxy.scheme)
        self._tls = _tls(ca_bundle) if needs_tls else None
        self._idle = deque[Connection]()
        self._is_open = True

    @property
    def forward_headers(self) -> Mapping[str, str]:
        """The headers that each request through a proxy without a tunnel needs."""
        return self._proxy_headers if self._scheme == "http" else {}

    def acquire(self) -> Connection:
        """Return an idle connection or a new one. Raises urllib3's HTTPError or OSError; ProxyError names the proxy."""
        while connection := self._pop():
            if connection.is_idle():
                return connection
            connection.close()
        return Connection(self._connect())

    def release(self, connection: Connection, is_reusable: bool) -> None:
        """Keep a connection for the next request, or close it if it can't be reused."""
        if not is_reusable or len(self._idle) >= _IDLE_CONNECTIONS:
            connection.close()
            return
        self._idle.append(connection)
        if not self._is_open:  # Checked last: `close` may run at the same time.
            self.close()

    def close(self) -> None:
        """Close idle connections, and the others once they are released."""
        self._is_open = False
        while connection := self._pop():
            connection.close()

    def _pop(self) -> Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connect(self) -> HTTPConnection:
        made = self._make()
        try:
            made.connect()
        except (HTTPError, http.client.HTTPException, OSError) as error:
            # Only the proxy's answer to CONNECT is parsed by http.client here.
            is_proxys = isinstance(error, http.client.HTTPException) or not made.has_connected_to_proxy
            made.close()
            if made.proxy and is_proxys:
                raise ProxyError("the proxy failed", error) from error
            raise
        return made

    def _make(self) -> HTTPConnection:
        options: dict[str, Any] = {"timeout": CONNECT_SECONDS, "socket_options": _SOCKET_OPTIONS, "proxy": self._proxy}
        host, port = self._host.strip("[]"), self._port
        if self._proxy:
            host, port = (self._proxy.host or "").strip("[]"), self._proxy.port or _PORTS[self._proxy.scheme or ""]
            options["proxy_config"] = ProxyConfig(self._tls, False, None, None)
        if self._tls is None:
            return HTTPConnection(host, port, **options)
        made = HTTPSConnection(host, port, ssl_context=self._tls, **options)
        if self._proxy and self._scheme == "https":
            made.set_tunnel(self._host, self._port, self._proxy_headers, scheme=self._proxy.scheme or "")
        return made


def host_header(scheme: str, netloc: str) -> str:
    """Return the Host header for an address: without the scheme's own port."""
    host, port = _address(scheme, netloc)
    return host if port == _PORTS[scheme] else f"{host}:{port}"


def _address(scheme: str, netloc: str) -> tuple[str, int]:
    """Return the host, an IPv6 address in brackets, and the port."""
    parsed = parse_url(f"{scheme}://{netloc}")
    return parsed.host or "", parsed.port or _PORTS[scheme]


def _proxy_url(proxy: Proxy | None) -> Url | None:
    if proxy is None:
        return None
    parsed = parse_url(proxy.url)
    if parsed.scheme not in _PORTS or not parsed.host:
        raise ProxyError("not an HTTP proxy", ValueError(parsed.scheme))
    return parsed


def _tls(ca_bundle: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise StorageUnavailable("AWS_CA_BUNDLE does not name a file of certificates.", message=str(error)) from error
