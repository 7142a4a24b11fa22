"""Under which names the service answers, and what it believes of proxies in front of it."""

from __future__ import annotations

import re
from collections.abc import Collection

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

import config
from problems import BadRequest, UntrustedHost

_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_HEALTH = ("/healthz", "/healthz/ready")


def trusted(settings: config.Config) -> tuple[str, ...]:
    """The names to answer under; none means any.

    A service that listens on this machine alone believes that only its user can reach it. Without a look at the name
    any web site could, by pointing a name of its own to 127.0.0.1 (DNS rebinding).
    """
    return settings.trusted_hosts or (_LOCAL if settings.is_local else ())


def is_trusted(host: str, names: Collection[str]) -> bool:
    """Whether a request for `host` (`name` or `name:port`, RFC 9110 §7.2) is for one of `names`."""
    match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", host.lower())
    return not names or (match is not None and match[1] in names)


def _check() -> None:
    """Raises UntrustedHost. Load balancers ask for our health by address, and learn nothing by it.

    Raises BadRequest where HTTP/1.1 comes without a Host (RFC 9112 §3.2); gunicorn refuses two.
    """
    if request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1" and "Host" not in request.headers:
        raise BadRequest("A request in HTTP/1.1 has a Host.")
    names = trusted(config.current())
    if request.path not in _HEALTH and not is_trusted(request.host, names):
        raise UntrustedHost


def init_app(app: Flask, hops: int) -> None:
    """Refuse requests for others; believe the X-Forwarded-* that the last `hops` proxies have written, and no more."""
    app.before_request(_check)
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
