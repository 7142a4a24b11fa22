"""Map error responses to FerryErrors. Pure rules."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from ferry_client.connection_errors import Endpoint
from ferry_client.errors import FerryError, WrongAddress
from ferry_client.problems import KINDS, NotFound
from ferry_client.proxies import strip_credentials


def error_from_response(
    status: int, headers: Mapping[str, str], body: bytes, endpoint: Endpoint | None = None, path: str = ""
) -> FerryError:
    """Return the error for a response to a request for `path`.

    A response other than problem+json (RFC 9457) comes from a proxy or another server.
    """
    try:
        members = dict(json.loads(body))
        slug = str(members.pop("type")).rpartition("/")[2]
        title, _ = members.pop("title", slug), members.pop("instance", None)
        detail = str(members.pop("detail", None) or title)
    except (ValueError, KeyError, TypeError):
        return _foreign_error(status, headers, body, endpoint, path)
    fields = {name: value for name, value in members.items() if (name, value) != ("status", status)}
    error = KINDS.get(slug, FerryError)(
        detail, slug=slug, status=status, fields=fields, retry_after=parse_retry_after(headers)
    )
    return _with_base_path(error, endpoint.url, path) if endpoint and isinstance(error, NotFound) else error


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of Retry-After. A date (RFC 9110 §10.2.3), which some proxies send, counts as missing."""
    value = headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def _with_base_path(error: NotFound, url: str, path: str) -> NotFound | WrongAddress:
    """Return the error for Ferry's 404 at an address with a path, which may be wrong; without a path, `error` itself.

    Every Ferry serves all paths but those of single files, so that a 404 for one of them means a wrong address.
    """
    parts = urlsplit(url)
    if not (base := parts.path.rstrip("/")):
        return error
    if re.fullmatch(r"/files/(?!(status|delete)$).+", path):
        error.detail = f"There is no such file at {url}"
        return error
    root = parts._replace(path="").geturl()
    return WrongAddress(f"Ferry answers at {url}, but not to {base}{path}: its address is probably {root}")


def _foreign_error(
    status: int, headers: Mapping[str, str], body: bytes, endpoint: Endpoint | None, path: str
) -> FerryError:
    """Return the error for a response that is not Ferry's."""
    name = endpoint or "The server"
    if 300 <= status < 400 and (location := headers.get("Location")):
        target = urljoin(f"{endpoint.url if endpoint else ''}/", location).partition("?")[0].partition("#")[0]
        target = strip_credentials(target.removesuffix(path).rstrip("/"))
        return FerryError(
            f"{name} redirects to {target}", slug="redirected", status=status, fields={"location": target}
        )
    advice = _advice(status, body, endpoint) if endpoint else ""
    return FerryError(
        f"{name} answered {status}, and not as Ferry does{advice}",
        slug=f"http-{status}", status=status, retry_after=parse_retry_after(headers),
    )  # fmt: skip


def _advice(status: int, body: bytes, endpoint: Endpoint) -> str:
    if status == 400 and re.search(rb"https|ssl|tls", body, re.IGNORECASE):
        return f". If TLS is spoken there, use {endpoint.other_scheme}"
    if status == 407 and endpoint.proxy:
        return f". The proxy asks for a name and a password: {endpoint.proxy.source}=http://NAME:PASSWORD@HOST:PORT"
    return ""
