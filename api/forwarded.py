"""What the proxies in front say of a request (X-Forwarded-*), in the one form that the app reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.middleware.proxy_fix import ProxyFix

from server.addresses import canonical

_SEGMENT = r"/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+"
_PREFIX = re.compile(f"(?:{_SEGMENT}){{0,20}}/?")
_MOST_LETTERS = 512
_SCHEMES = ("http", "https")


def forwarded_prefix(written: str, hops: int) -> str:
    """The path that the service stands under, by the last `hops` values of X-Forwarded-Prefix; empty for none.

    A proxy that removes a path adds it to the header, the outermost first. No RFC describes the header. Each value is
    a path of letters, digits and `-._~` (RFC 3986 §2.3): anything else could lead links to another site, and so
    all of it counts as nothing.
    """
    values = [value.strip() for value in written.split(",")][-hops:]
    if not all(len(value) <= _MOST_LETTERS and _PREFIX.fullmatch(value) for value in values):
        return ""
    return "".join(value.rstrip("/") for value in values)


class Forwarded:
    """WSGI middleware: the client, scheme, host and path prefix that the last `hops` proxies have written.

    With 0 hops nothing is believed. Either way REMOTE_ADDR is canonical: an IPv4 client of an IPv6 socket is itself.
    """

    def __init__(self, app: WSGIApplication, hops: int) -> None:
        self._app, self._hops = app, hops
        self._entry = ProxyFix(self._tidied, x_for=hops, x_proto=hops, x_host=hops) if hops else self._tidied

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._entry(environ, start_response)

    def _tidied(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = canonical(environ.get("REMOTE_ADDR", ""))
        if self._hops:
            scheme = environ["wsgi.url_scheme"].lower()
            environ["wsgi.url_scheme"] = scheme if scheme in _SCHEMES else "http"
            if prefix := forwarded_prefix(environ.get("HTTP_X_FORWARDED_PREFIX", ""), self._hops):
                environ["SCRIPT_NAME"] = prefix
        return self._app(environ, start_response)
