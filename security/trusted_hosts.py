"""The host names that requests may be sent to."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial

from flask import Flask, request

from config import Config
from problems import BadRequest, UntrustedHost, quoted
from server.addresses import canonical

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_HEALTH_PATHS = ("/healthz", "/healthz/ready")
_UNTRUSTED = "The service does not answer for the host {}. The operator can add it to the setting TRUSTED_HOSTS."


def trusted_names(settings: Config) -> tuple[str, ...]:
    """The accepted host names, in the form that `is_trusted` compares; an empty tuple accepts any.

    A service on a loopback address accepts requests without an API key because only its user can reach it. If it
    accepted any host name, every web site could, by resolving its own name to 127.0.0.1 (DNS rebinding).
    """
    names = settings.trusted_hosts
    if not names and settings.is_loopback:
        host = settings.host.lower()
        names = (*_LOCAL_NAMES, f"[{host}]" if ":" in host else host)
    return tuple(dict.fromkeys(map(_normalized, names)))


def is_trusted(host: str, names: Collection[str]) -> bool:
    """Whether a request for `host` (`name` or `name:port`, RFC 9110 §7.2) is for one of `names`.

    IPv6 addresses are compared by value, not by spelling. Werkzeug's `host_is_trusted` matches none of them: it cuts a
    listed `[::1]` at its first colon.
    """
    match = _HOST.fullmatch(host.lower())
    return not names or (match is not None and _normalized(match[1]) in names)


def _normalized(name: str) -> str:
    return f"[{canonical(name)}]" if name.startswith("[") else name


def _check(names: Collection[str]) -> None:
    """Raises UntrustedHost, except for health checks: load balancers send those to an IP address.

    Raises BadRequest for HTTP/1.1 without a Host header (RFC 9112 §3.2); gunicorn rejects several.
    """
    if request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1" and "Host" not in request.headers:
        raise BadRequest("HTTP/1.1 requires a Host header.")
    if request.path not in _HEALTH_PATHS and not is_trusted(request.host, names):
        raise UntrustedHost(_UNTRUSTED.format(quoted(request.headers.get("Host", ""))))


def init_app(app: Flask, settings: Config) -> None:
    """Check the host of every request."""
    app.before_request(partial(_check, trusted_names(settings)))
