"""HTTP: requests to one server, answers or FerryErrors back. The only file that knows httpx."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies

import httpx
from ferry_client.connecting import Place, failure, looks_like, refused_by_proxy
from ferry_client.errors import FerryError, Unreachable, WrongAddress
from ferry_client.problems import KINDS, NotFound
from ferry_client.proxies import Proxy, is_server, proxy_for, without_credentials
from ferry_client.silence import QUIET_SECONDS, Silence
from ferry_client.version import __version__

Answer = httpx.Response

NOT_MODIFIED = 304

_TIMEOUT = httpx.Timeout(120, connect=10, pool=None)
"""Seconds. An upload that is stored while it arrives is answered when the storage has confirmed it."""

_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=55)
"""Ferry closes connections idle for 75 s (KEEPALIVE_TIMEOUT), most load balancers after 60. A closed one is not
used again; a request that was on its way just then is lost, and sent again like any that got no answer.
"""


class Wire:
    """The connections to one server, for any number of threads."""

    def __init__(self, url: str, key: str | None) -> None:
        """Raises ValueError for a malformed address or key, and for variables (proxy, certificates) of no use."""
        headers = {"Accept-Encoding": "identity", "User-Agent": f"ferry-client/{__version__}"} | _authorization(key)
        url = _checked(url)
        self.place = Place(without_credentials(url), proxy_for(url, getproxies(), os.environ))
        self._client = httpx.Client(
            base_url=url, headers=headers, timeout=_TIMEOUT, transport=_transport(url, self.place.proxy)
        )
        self._answered = False

    def ask(self, method: str, path: str, **request: Any) -> Answer:
        """The whole answer. Raises FerryError for all but success, and a 304 to who asked for one."""
        content, held = request.get("content"), (request.get("params") or {}).get("wait", 0)
        with self._translated(sends_a_file=content is not None), self._watched(held) as silence:
            if content is not None and not isinstance(content, bytes):
                request["content"] = silence.sent(content)
            answer = self._client.request(method, path, **request)
        self._answered = True
        if answer.is_success or answer.status_code == NOT_MODIFIED:
            return answer
        raise self._problem(answer, path)

    @contextmanager
    def opened(self, path: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        """An answer whose body is read by iter_raw(). Raises FerryError as ask(), and out of reading too."""
        with self._translated(sends_a_file=True), ExitStack() as stack:
            with self._watched():
                answer = stack.enter_context(self._client.stream("GET", path, headers=headers))
            self._answered = True
            if not answer.is_success:
                answer.read()
                raise self._problem(answer, path)
            yield answer

    def close(self) -> None:
        self._client.close()

    def _watched(self, held: float = 0) -> Silence:
        """A watch over a request whose answer the server may hold back for so many seconds."""
        return Silence(self.place, QUIET_SECONDS + held, _TIMEOUT.read)

    def _problem(self, answer: Answer, path: str) -> FerryError:
        error = problem(answer.status_code, answer.headers, answer.content, self.place, path)
        return _below_a_path(error, self.place.url, path) if isinstance(error, NotFound) else error

    @contextmanager
    def _translated(self, *, sends_a_file: bool) -> Iterator[None]:
        """httpx's errors as FerryErrors. A request that httpx refuses to send is a fault of the client: it is not
        repeated, and the error does not quote httpx's sentence, which quotes the header.
        """
        began = time.monotonic()
        try:
            yield
        except httpx.LocalProtocolError:
            raise FerryError("The request is none that HTTP can carry.", slug="unsendable") from None
        except httpx.ProxyError as error:
            raise refused_by_proxy(str(error), self.place, answered=self._answered) from error
        except httpx.RequestError as error:
            connecting = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
            idle = time.monotonic() - began if connecting or not sends_a_file else 0.0
            raise self._failure(error, idle) from error

    def _failure(self, error: httpx.RequestError, idle: float) -> Unreachable:
        """Looks at the other end where it closed the first connections without an answer: it may speak TLS."""
        found = failure(error, self.place, answered=self._answered, idle=idle)
        wordless = isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError))
        if wordless and not self._answered and not self.place.proxy and self.place.url.startswith("http://"):
            sentence = looks_like(self.place.url)
            return WrongAddress(sentence) if sentence else found
        return found


def problem(
    status: int, headers: Mapping[str, str], body: bytes, place: object = "The server", path: str = ""
) -> FerryError:
    """The error that an answer stands for. One that is no problem+json comes from something between us and Ferry."""
    try:
        said = dict(json.loads(body))
        slug = str(said.pop("type")).rpartition("/")[2]
        title, _ = said.pop("title", slug), said.pop("instance", None)
        detail = str(said.pop("detail", None) or title)
    except (ValueError, KeyError, TypeError):
        return _foreign(status, headers, body, place, path)
    fields = {name: value for name, value in said.items() if (name, value) != ("status", status)}
    return KINDS.get(slug, FerryError)(
        detail, slug=slug, status=status, fields=fields, retry_after=retry_after(headers)
    )


def _below_a_path(error: NotFound, url: str, path: str) -> NotFound | WrongAddress:
    """Ferry's 404 where the address has a path of its own, which may be wrong. Without one the error stays as it is.

    A path that names no file is served by every Ferry, so that the address is wrong. For an id both are possible.
    """
    parts = urlsplit(url)
    if not (base := parts.path.rstrip("/")):
        return error
    if re.fullmatch(r"/files/(?!(status|delete)$).+", path):
        error.detail = f"There is no such file at {url}"
        return error
    root = parts._replace(path="").geturl()
    return WrongAddress(f"Ferry answers at {url}, but not to {base}{path}: its address is probably {root}")


def _foreign(status: int, headers: Mapping[str, str], body: bytes, place: object, path: str) -> FerryError:
    """The error for an answer that is not Ferry's: a proxy's, or that of another server."""
    if 300 <= status < 400 and (location := headers.get("Location")):
        to = urljoin(f"{getattr(place, 'url', '')}/", location).partition("?")[0].partition("#")[0]
        to = without_credentials(to.removesuffix(path).rstrip("/"))
        return FerryError(f"{place} redirects to {to}", slug="redirected", status=status, fields={"location": to})
    more = ""
    if status == 400 and isinstance(place, Place) and re.search(rb"https|ssl|tls", body, re.IGNORECASE):
        more = f". If TLS is spoken there, use {place.other_scheme}"
    elif status == 407 and isinstance(place, Place) and place.proxy:
        more = f". The proxy asks for a name and a password: {place.proxy.source}=http://NAME:PASSWORD@HOST:PORT"
    return FerryError(
        f"{place} answered {status}, and not as Ferry does{more}",
        slug=f"http-{status}", status=status, retry_after=retry_after(headers),
    )  # fmt: skip


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and is_server(parts) and not (parts.query or parts.fragment):
            httpx.URL(url)
            return parts.geturl()  # Its scheme in lower case.
    except (ValueError, httpx.InvalidURL):  # A port that is no number, a bracket that stays open, a control.
        pass
    raise ValueError(f"{without_credentials(url)!r} is not the address of a server, such as http://127.0.0.1:5000")


def _transport(url: str, proxy: Proxy | None) -> httpx.HTTPTransport:
    """Connections that obey SSL_CERT_FILE and SSL_CERT_DIR where TLS is used, and no proxy variable by themselves."""
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
    """White space around a key is how files and shells hand it over: FERRY_KEY="$(cat key)" with CRLF line ends.

    What is left has to fit into a header (RFC 6750 §2.1). The error does not repeat it: logs keep what they are told.
    """
    key = (key or "").strip()
    if re.fullmatch(r"[!-~]*", key):
        return {"Authorization": f"Bearer {key}"} if key else {}
    raise ValueError("The API key is malformed: it contains a line end, a space or a character beyond ASCII")


def json_of(answer: Answer) -> dict[str, Any]:
    """The object in an answer. Raises FerryError for anything else, which Ferry would not send."""
    try:
        said = answer.json()
    except ValueError:
        said = None
    if isinstance(said, dict):
        return said
    raise not_ferry(answer)


def not_ferry(answer: Answer) -> FerryError:
    """The error for a success that Ferry would not answer with."""
    url = without_credentials(str(answer.url.copy_with(query=None)))
    return FerryError(f"What answers at {url} is not Ferry", slug="not-ferry", status=answer.status_code)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer asks for. A proxy's date (RFC 9110 §10.2.3) counts as nothing said."""
    said = headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else None
