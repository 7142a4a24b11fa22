"""Redis URL and key names: parsed once for Celery (kombu), the relay, rate limits and `flask doctor`.

kombu, redis-py and limits each parse a URL differently, TLS above all. So none of them gets the query: all get the URL
without it and the same TLS options, which are keyword arguments of redis.SSLConnection.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from sqlalchemy.engine import make_url

from config_types import boolean

_FORM = "redis://user:password@host:port/0, or rediss:// for TLS"
_HOST = re.compile(r"[a-z0-9][a-z0-9._-]{0,252}|[0-9a-f:.]{2,45}(%[a-z0-9._-]{1,32})?")
_VERIFY = {f"{start}{each}": each for start in ("", "cert_") for each in ("required", "optional", "none")}


@dataclass(frozen=True)
class RedisOptions:
    """The connection options of one Redis, the same for every client library."""

    url: str = field(repr=False)
    """Without its query; user and password are escaped."""

    tls: Mapping[str, Any]
    """Options of a TLS connection; empty for redis://."""

    safe_url: str
    """The URL without user and password, for logs."""

    queue: str = "ferry"
    """Queue of the tasks and prefix of every key; unique to an installation."""

    def key(self, *parts: object) -> str:
        """The name of a key."""
        return ":".join(map(str, (self.queue, *parts)))


def parse(value: str, queue: str = "ferry") -> RedisOptions:
    """Parse a Redis URL. Raises ValueError; its message contains nothing that may be part of a password."""
    if not re.match(r"rediss?://", value):
        raise ValueError(f"must be {_FORM}. Unix sockets, Sentinel and clusters are not supported")
    try:
        parts = urlsplit(value)
        port = 6379 if parts.port is None else parts.port
    except ValueError:
        raise ValueError(f"must be {_FORM}, signs such as / in user and password escaped (%2F)") from None
    if re.search(r"[\s\x00-\x1f\x7f#]", value) or "@" in parts.path + parts.query or not port:
        raise ValueError(f"must be {_FORM}, signs such as / in user and password escaped (%2F)")
    template = f"{parts.scheme}://%s{_host(parts)}:{port}/{_database(parts)}"
    tls = _tls(parts.query) if parts.scheme == "rediss" else _no_tls(parts.query)
    return RedisOptions(template.replace("%s", _login(parts), 1), tls, template.replace("%s", "", 1), queue)


def default_queue(database: str) -> str:
    """The queue of the installation that uses this database, unless CELERY_QUEUE names another.

    Derived from the URL, because web service and worker must agree on it before they connect. User and password are
    left out: they may change, and differ between the two.
    """
    url = make_url(database)
    if url.get_backend_name() == "sqlite":
        identity: list[object] = [os.path.realpath(url.database or "")]
    else:
        host = str(url.host or url.query.get("host") or "localhost").lower()
        host = "localhost" if host in ("127.0.0.1", "::1") else host
        port = url.port or url.query.get("port") or 5432
        identity = [host, str(port), url.database or url.username, url.query.get("options")]
    return f"ferry-{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]}"


def queue_name(value: str) -> str:
    """`value`, if it is a valid queue name for Celery, Redis and a shell. Raises ValueError if not."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
        return value
    raise ValueError("must be letters, digits, '.', '_' and '-' (100 at most)")


def _host(parts: SplitResult) -> str:
    host = unquote(parts.hostname or "")
    if not _HOST.fullmatch(host):
        raise ValueError(f"must name a host: {_FORM}")
    return f"[{host}]" if ":" in host else host


def _database(parts: SplitResult) -> int:
    if not re.fullmatch(r"|/|/[0-9]{1,5}", parts.path):
        raise ValueError(f"must end with the number of a database: {_FORM}")
    return int(parts.path[1:] or 0)


def _login(parts: SplitResult) -> str:
    user, password = (quote(unquote(each or ""), safe="") for each in (parts.username, parts.password))
    return f"{user}{':' if password else ''}{password}@" if user or password else ""


def _no_tls(query: str) -> dict[str, Any]:
    if query:
        raise ValueError("options behind '?' need rediss://")
    return {}


def _tls(query: str) -> dict[str, Any]:
    """The options of a query. The defaults are safe: certificate and host name are verified."""
    pairs = parse_qsl(query, keep_blank_values=True)
    for name, _ in pairs:
        if name not in _OPTIONS:
            label = name if re.fullmatch(r"[a-z_]{1,40}", name) else "an option"
            raise ValueError(f"{label} is unknown behind '?'. Allowed are {', '.join(_OPTIONS)}")
    if len(dict(pairs)) < len(pairs) or (query and not pairs):
        raise ValueError("an option behind '?' must be given once")
    options = {"ssl_cert_reqs": "required"} | {name: _OPTIONS[name](name, value) for name, value in pairs}
    verified = options["ssl_cert_reqs"] != "none"
    if options.setdefault("ssl_check_hostname", verified) and not verified:
        raise ValueError("ssl_check_hostname=true needs a certificate that is verified, not ssl_cert_reqs=none")
    if "ssl_keyfile" in options and "ssl_certfile" not in options:
        raise ValueError("ssl_keyfile needs ssl_certfile")
    return options


def _verify(name: str, value: str) -> str:
    if value.lower() in _VERIFY:
        return _VERIFY[value.lower()]
    raise ValueError(f"{name} must be required, optional or none")


def _flag(name: str, value: str) -> bool:
    try:
        return boolean(value)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def _file(name: str, value: str) -> str:
    path = Path(value).expanduser().absolute()
    if value and path.is_file():
        return str(path)
    raise ValueError(f"{name} must be a file that exists")


_OPTIONS: Mapping[str, Callable[[str, str], Any]] = {
    "ssl_cert_reqs": _verify,
    "ssl_ca_certs": _file,
    "ssl_certfile": _file,
    "ssl_keyfile": _file,
    "ssl_check_hostname": _flag,
}
