"""X-Forwarded-* headers of trusted proxies, applied to the WSGI environment."""

from __future__ import annotations

import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from server.addresses import canonical

_SEGMENT = r"/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+"
_PREFIX = re.compile(f"(?:{_SEGMENT}){{0,20}}/?")
_MAX_PREFIX = 512
"""Characters of one value of X-Forwarded-Prefix."""

_SCHEMES = ("http", "https")


def forwarded_prefix(header: str, hops: int) -> str:
    """The path prefix of the service, from the last `hops` values of X-Forwarded-Prefix; empty without any.

    A proxy that strips a prefix appends it to the header, so the outermost comes first; no RFC specifies the header.
    Each value must be a path of unreserved characters (RFC 3986 §2.3). Any other value could point links to another
    site, and invalidates the whole header.
    """
    values = [value.strip() for value in header.split(",")][-hops:]
    if not all(len(value) <= _MAX_PREFIX and _PREFIX.fullmatch(value) for value in values):
        return ""
    return "".join(value.rstrip("/") for value in values)


class Forwarded:
    """WSGI middleware: sets client, scheme, host and path prefix as reported by the last `hops` proxies.

    With 0 hops all such headers are ignored. REMOTE_ADDR is always canonical: IPv4-mapped IPv6 becomes IPv4.
    """

    def __init__(self, app: WSGIApplication, hops: int) -> None:
        self._app, self._hops = app, hops
        self._entry = ProxyFix(self._normalize, x_for=hops, x_proto=hops, x_host=hops) if hops else self._normalize

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._entry(environ, start_response)

    def _normalize(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = canonical(environ.get("REMOTE_ADDR", ""))
        if self._hops:
            scheme = environ["wsgi.url_scheme"].lower()
            environ["wsgi.url_scheme"] = scheme if scheme in _SCHEMES else "http"
            if prefix := forwarded_prefix(environ.get("HTTP_X_FORWARDED_PREFIX", ""), self._hops):
                environ["SCRIPT_NAME"] = prefix
        return self._app(environ, start_response)


def init_app(app: Flask, hops: int) -> None:
    """Trust the X-Forwarded-* headers of the last `hops` proxies only."""
    app.wsgi_app = Forwarded(app.wsgi_app, hops)  # type: ignore[method-assign]
