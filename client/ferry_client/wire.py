"""HTTP: requests to one server, answers or FerryErrors back. The only file that knows httpx."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
from ferry_client.errors import FerryError, Unreachable
from ferry_client.problems import KINDS

Answer = httpx.Response

NOT_MODIFIED = 304

_TIMEOUT = httpx.Timeout(120, connect=10, pool=None)
"""Seconds. An upload that is stored while it arrives is answered when the storage has confirmed it."""

_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=4)
"""gunicorn ends connections that were idle for 5 s: a request on its way just then would be lost."""


class Wire:
    """The connections to one server, for any number of threads."""

    def __init__(self, url: str, key: str | None) -> None:
        """Raises ValueError for what is no address of an HTTP server, and for what can't be a key."""
        headers = {"Accept-Encoding": "identity"} | _authorization(key)
        self._client = httpx.Client(base_url=_checked(url), headers=headers, timeout=_TIMEOUT, limits=_LIMITS)

    def ask(self, method: str, path: str, **request: Any) -> Answer:
        """The whole answer. Raises FerryError for all but success, and a 304 to who asked for one."""
        with _translated():
            answer = self._client.request(method, path, **request)
        if answer.is_success or answer.status_code == NOT_MODIFIED:
            return answer
        raise problem(answer.status_code, answer.headers, answer.content)

    @contextmanager
    def opened(self, path: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        """An answer whose body is read by iter_raw(). Raises FerryError as ask(), and out of reading too."""
        with _translated(), self._client.stream("GET", path, headers=headers) as answer:
            if not answer.is_success:
                raise problem(answer.status_code, answer.headers, answer.read())
            yield answer

    def close(self) -> None:
        self._client.close()


def problem(status: int, headers: Mapping[str, str], body: bytes) -> FerryError:
    """The error that an answer stands for. One that is no problem+json comes from something between us and Ferry."""
    try:
        said = dict(json.loads(body))
        slug = str(said.pop("type")).rpartition("/")[2]
        title, _ = said.pop("title", slug), said.pop("instance", None)
        detail = str(said.pop("detail", None) or title)
    except (ValueError, KeyError, TypeError):
        detail, slug, said = f"The server answered {status}.", f"http-{status}", {}
    fields = {name: value for name, value in said.items() if (name, value) != ("status", status)}
    return KINDS.get(slug, FerryError)(
        detail, slug=slug, status=status, fields=fields, retry_after=retry_after(headers)
    )


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return url
    except ValueError:  # A port that is no number, a bracket that stays open.
        pass
    raise ValueError(f"{url!r} is not the address of a server, such as http://127.0.0.1:5000")


def _authorization(key: str | None) -> dict[str, str]:
    """White space around a key is how files and shells hand it over: FERRY_KEY="$(cat key)" with CRLF line ends.

    What is left has to fit into a header (RFC 6750 §2.1). The error does not repeat it: logs keep what they are told.
    """
    key = (key or "").strip()
    if re.fullmatch(r"[!-~]*", key):
        return {"Authorization": f"Bearer {key}"} if key else {}
    raise ValueError("The API key is none: a line end, a space or a character beyond ASCII is in it")


@contextmanager
def _translated() -> Iterator[None]:
    """httpx's errors as ours. What it would not even send is our own fault: no pause makes it pass.

    Its words for that quote the header, and so are not repeated.
    """
    try:
        yield
    except httpx.LocalProtocolError:
        raise FerryError("The request is none that HTTP can carry.", slug="unsendable") from None
    except httpx.RequestError as error:
        raise Unreachable(f"The server can't be reached: {error or type(error).__name__}") from error


def json_of(answer: Answer) -> dict[str, Any]:
    """What an answer says. Raises FerryError where it is nothing that Ferry would say."""
    try:
        said = answer.json()
    except ValueError:
        said = None
    if isinstance(said, dict):
        return said
    raise FerryError(f"What answers at {answer.url.copy_with(query=None)} is not Ferry.", slug="not-ferry")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer asks for. A proxy's date (RFC 9110 §10.2.3) counts as nothing said."""
    said = headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else None
