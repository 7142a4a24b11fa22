"""HTTP client for one server: returns responses, raises FerryErrors. The only module that imports httpx."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx
from ferry_client.connection_errors import Endpoint, connection_error, probe_protocol, proxy_error
from ferry_client.errors import ConnectionFailed, FerryError, WrongAddress
from ferry_client.proxies import Proxy, has_valid_host, proxy_for, strip_credentials
from ferry_client.response_errors import error_from_response
from ferry_client.version import __version__
from ferry_client.watchdog import WARN_AFTER_SECONDS, ResponseWatchdog

Response = httpx.Response

NOT_MODIFIED = 304

_TIMEOUT = httpx.Timeout(120, connect=10, pool=None)
"""Seconds. In normal mode an upload is answered only when the storage has confirmed it."""

_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=55)
"""Ferry closes idle connections after 75 s (KEEPALIVE_TIMEOUT), most load balancers after 60. Older ones are not used:
a request on a connection that is just being closed is lost and has to be retried.
"""


class HttpClient:
    """The connections to one server. Thread-safe."""

    def __init__(self, url: str, key: str | None) -> None:
        """Raises ValueError for a malformed address or key, and for an unusable proxy or certificate variable."""
        headers = {"Accept-Encoding": "identity", "User-Agent": f"ferry-client/{__version__}"} | _authorization(key)
        url = _validated(url)
        self.endpoint = Endpoint(strip_credentials(url), proxy_for(url, getproxies(), os.environ))
        self._client = httpx.Client(
            base_url=url, headers=headers, timeout=_TIMEOUT, transport=_transport(url, self.endpoint.proxy)
        )
        self._answered = self._closed = False

    def request(self, method: str, path: str, **options: Any) -> Response:
        """Return the whole response. Raises FerryError unless it is a success or 304."""
        content, wait = options.get("content"), (options.get("params") or {}).get("wait", 0)
        with self._map_errors(transfers_file=content is not None), self._watchdog(wait) as watchdog:
            if content is not None and not isinstance(content, bytes):
                options["content"] = watchdog.exclude_reads(content)
            response = self._client.request(method, path, **options)
        self._answered = True
        if response.is_success or response.status_code == NOT_MODIFIED:
            return response
        raise self._error(response, path)

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[Response]:
        """Open a response whose body is read by iter_raw(). Raises FerryError as request(), also while it is read."""
        with self._map_errors(transfers_file=True), ExitStack() as stack:
            with self._watchdog():
                response = stack.enter_context(self._client.stream("GET", path, headers=headers))
            self._answered = True
            if not response.is_success:
                response.read()
                raise self._error(response, path)
            yield response

    def close(self) -> None:
        """Close the connections. A request that another thread is sending fails, and is not retried."""
        self._closed = True
        self._client.close()

    def _watchdog(self, wait: float = 0) -> ResponseWatchdog:
        """Watch a request whose response the server may delay by `wait` seconds."""
        return ResponseWatchdog(self.endpoint, WARN_AFTER_SECONDS + wait, _TIMEOUT.read)

    def _error(self, response: Response, path: str) -> FerryError:
        return error_from_response(response.status_code, response.headers, response.content, self.endpoint, path)

    @contextmanager
    def _map_errors(self, *, transfers_file: bool) -> Iterator[None]:
        """Map httpx's errors to FerryErrors.

        A request that httpx refuses to send is not retried, and the error does not quote httpx's message: it contains
        the header.
        """
        started = time.monotonic()
        try:
            yield
        except httpx.LocalProtocolError:
            raise FerryError("A header of the request is not valid in HTTP.", slug="unsendable") from None
        except httpx.ProxyError as error:
            raise proxy_error(str(error), self.endpoint, answered=self._answered) from error
        except httpx.RequestError as error:
            if self._closed:
                raise FerryError("The client was closed during the request.", slug="client-closed") from error
            connecting = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
            idle = time.monotonic() - started if connecting or not transfers_file else 0.0
            raise self._connection_error(error, idle) from error

    def _connection_error(self, error: httpx.RequestError, idle: float) -> ConnectionFailed:
        """Probe the server if it closed the first connection without a response: it may speak TLS."""
        mapped = connection_error(error, self.endpoint, answered=self._answered, idle=idle)
        closed = isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError))
        if closed and not self._answered and not self.endpoint.proxy and self.endpoint.url.startswith("http://"):
            finding = probe_protocol(self.endpoint.url)
            return WrongAddress(finding) if finding else mapped
        return mapped


def _validated(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and has_valid_host(parts) and not (parts.query or parts.fragment):
            httpx.URL(url)
            return parts.geturl()  # With the scheme in lower case.
    except (ValueError, httpx.InvalidURL):  # A malformed port, an unclosed bracket, a control character.
        pass
    raise ValueError(f"{strip_credentials(url)!r} is not the address of a server, such as http://127.0.0.1:5000")


def _transport(url: str, proxy: Proxy | None) -> httpx.HTTPTransport:
    """Build a transport that obeys SSL_CERT_FILE and SSL_CERT_DIR for https, and uses no proxy but `proxy`."""
    try:
        return httpx.HTTPTransport(
            limits=_LIMITS, trust_env=url.startswith("https"), proxy=httpx.Proxy(proxy.url) if proxy else None
        )
    except ImportError:
        raise ValueError(
            f"{proxy} needs the package socksio: pip install 'httpx[socks]', or unset {proxy and proxy.source}"
        ) from None
    except httpx.InvalidURL as error:
        raise ValueError(f"{proxy} is not the address of a proxy: {error}") from None
    except OSError as error:
        names = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
        raise ValueError(f"No certificates can be read from {' or '.join(names) or 'this system'}: {error}") from None


def _authorization(key: str | None) -> dict[str, str]:
    """Return the Authorization header (RFC 6750 §2.1). White space around the key is removed: files end with a newline.

    Raises ValueError for other characters; the message does not contain the key, because logs would keep it.
    """
    key = (key or "").strip()
    if re.fullmatch(r"[!-~]*", key):
        return {"Authorization": f"Bearer {key}"} if key else {}
    raise ValueError("The API key is malformed: it contains a line end, a space or a character beyond ASCII")
