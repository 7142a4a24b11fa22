"""The URL of the database, from libpq's form to SQLAlchemy's."""

from __future__ import annotations

import re

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from config_types import has_valid_port


def parse(value: str) -> str:
    """Return `value` in SQLAlchemy's form, with psycopg as PostgreSQL's driver. Raises ValueError."""
    scheme, separator, rest = value.partition("://")
    if scheme in ("sqlite", "sqlite+pysqlite") and rest.startswith("//"):
        return value
    if scheme in ("postgresql", "postgresql+psycopg", "postgres") and separator:
        if rest.partition("?")[0].count("@") > 1:
            # The text after the first @ would become the host, and appear in errors.
            raise ValueError("must have each @ of the password as %40")
        url = _split_hosts(f"postgresql+psycopg://{rest}")
        if url and has_valid_port(url) and _can_connect(url):
            return url
    raise ValueError(
        "must be postgresql+psycopg://user:password@host:port/name, several hosts with commas between them,"
        " or sqlite:////absolute/path"
    )


def _split_hosts(url: str) -> str | None:
    """Translate libpq's hosts (`a:5432,b:5433`) to SQLAlchemy's (`?host=a,b&port=5432,5433`); None if malformed."""
    match = re.fullmatch(r"([^:]+://(?:[^@/?#]*@)?)([^@/?#]*,[^@/?#]*)(/[^?#]*)?(?:\?(.*))?", url)
    if match is None:
        return url
    start, hosts, name, query = match.groups(default="")
    found = [re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([0-9]+))?", host) for host in hosts.split(",")]
    pairs = [(one[1] or one[2], one[3] or "5432") for one in found if one]
    if len(pairs) < len(found):
        return None
    names, ports = (",".join(each) for each in zip(*pairs, strict=True))
    return f"{start}{name or '/'}?host={names}&port={ports}{'&' if query else ''}{query}"


def _can_connect(url: str) -> bool:
    """Return whether SQLAlchemy parses the URL and its ports are valid."""
    try:
        parsed = make_url(url)
        _, arguments = parsed.get_dialect()().create_connect_args(parsed)
        return all(0 < int(port) < 65536 for port in str(arguments.get("port", "")).split(",") if port)
    except (ArgumentError, ValueError):
        return False
