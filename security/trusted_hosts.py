"""Under which names the service answers, and what it believes of proxies in front of it."""

from __future__ import annotations

import re
from collections.abc import Collection

from flask import Flask, request

import config
from api.forwarded import Forwarded
from problems import BadRequest, UntrustedHost, quoted
from server.addresses import canonical

_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_HEALTH = ("/healthz", "/healthz/ready")
_NOT_OURS = "The service does not answer for the host {}. The operator can add it to the setting TRUSTED_HOSTS."


def trusted(settings: config.Config) -> tuple[str, ...]:
    """The names to answer under; none means any.

    A service that listens on this machine alone believes that only its user can reach it. Without a look at the name
    any web site could, by pointing a name of its own to 127.0.0.1 (DNS rebinding).
    """
    if settings.trusted_hosts or not settings.is_loopback:
        return settings.trusted_hosts
    own = settings.host.lower()
    return tuple(dict.fromkeys((*_LOCAL, f"[{own}]" if ":" in own else own)))


def is_trusted(host: str, names: Collection[str]) -> bool:
    """Whether a request for `host` (`name` or `name:port`, RFC 9110 §7.2) is for one of `names`.

    IPv6 addresses compare by value, however they are spelled.
    """
    match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", host.lower())
    return not names or (match is not None and _spelled(match[1]) in {_spelled(name) for name in names})


def _spelled(name: str) -> str:
    return f"[{canonical(name)}]" if name.startswith("[") else name


def _check() -> None:
    """Raises UntrustedHost. Load balancers ask for our health by address, and learn nothing by it.

    Raises BadRequest where HTTP/1.1 comes without a Host (RFC 9112 §3.2); gunicorn refuses two.
    """
    if request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1" and "Host" not in request.headers:
        raise BadRequest("A request in HTTP/1.1 has a Host.")
    names = trusted(config.current())
    if request.path not in _HEALTH and not is_trusted(request.host, names):
        raise UntrustedHost(_NOT_OURS.format(quoted(request.headers.get("Host", ""))))


def init_app(app: Flask, hops: int) -> None:
    """Refuse requests for others; believe the X-Forwarded-* that the last `hops` proxies have written, and no more."""
    app.before_request(_check)
    app.wsgi_app = Forwarded(app.wsgi_app, hops)  # type: ignore[method-assign]
