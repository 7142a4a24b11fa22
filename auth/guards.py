"""Who is asking, and whether they may. Every door names the scope that it needs, or says that it is open to all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, TypeVar

from flask import Flask, g, request

import config
import logs
from auth.api_keys import Key
from auth.key_cache import KeyCache
from config import Rate
from problems import Problem, ScopeMissing, TooManyDownloads, TooManyUploads, Unauthorized
from server.addresses import is_loopback, network
from services import current_services

Scope = Literal["upload", "read", "delete"]
View = TypeVar("View", bound=Callable[..., Any])

_BY_A_PROXY = re.compile(
    r"""(?im)forwarded | ^(via | cdn-loop | front-end-https | x-amzn-trace-id | x-arr-log-id | x-scheme)$
    | ^(x-original | x-envoy | x-azure | cf | cloudfront)-
    | (client | connecting | real | remote | originating | source | cluster | user)-?(ip | addr | address)$""",
    re.VERBOSE,
)
"""Headers that proxies and CDNs add: Forwarded (RFC 7239), Via (RFC 9110 §7.6.3), CDN-Loop (RFC 8586), and each
vendor's own, which mostly name the client's address."""


@dataclass(frozen=True)
class Principal:
    """Who is asking. `owner` is whose files they see, None those of nobody; `name` is what they are counted under."""

    owner: str | None
    name: str
    key: Key | None


class Authenticator:
    """Tells who is asking, by what this process knows of keys."""

    def __init__(self, known: KeyCache) -> None:
        self._keys = known

    def authenticate(self, authorization: str | None, address: str, *, forwarded: bool = False) -> Principal:
        """Who sends this `Authorization` (RFC 6750 §2.1) from this address. Raises Unauthorized.

        `forwarded`: by a proxy, which may stand on this machine and serve any other.
        """
        if authorization is None:
            if not self.is_open(address, forwarded=forwarded):
                raise Unauthorized(_FORWARDED if forwarded else _NO_KEY)
            return Principal(None, network(address), None)
        scheme, _, token = authorization.partition(" ")
        key = self._keys.lookup(token.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise Unauthorized("The API key is unknown, has ended, or is not written as Bearer ferry_…")
        return Principal(key.owner, key.owner, key)

    def is_open(self, address: str, *, forwarded: bool) -> bool:
        """Whether a request from this address needs no key."""
        settings = config.current()
        if settings.allow_anonymous:
            return True
        return settings.is_local and is_loopback(address) and not forwarded and not self._keys.any_exists()


_NO_KEY = "This needs an API key: Authorization: Bearer ferry_…"
_FORWARDED = f"{_NO_KEY} A request that a proxy has forwarded is not of this machine."


def was_forwarded(headers: Iterable[str], protocol: str, connection: str | None) -> bool:
    """Whether a request with headers of these names was sent by a proxy, as far as it shows.

    nginx adds no header by itself, but speaks HTTP/1.0 to the server behind it and says `Connection: close`, which no
    usual client does. A proxy that is set to HTTP/1.1 and to add nothing can't be told from a client.
    """
    if protocol == "HTTP/1.0" and (connection or "").lower() == "close":
        return True
    return bool(_BY_A_PROXY.search("\n".join(headers)))


def requires_scope(scope: Scope) -> Callable[[View], View]:
    """Let only those through who may do this, and not more often than they may. The caller is `g.caller`."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            settings = config.current()
            caller = _authenticate(settings.read_rate)
            _bind_log_context(caller)
            if caller.key and scope not in caller.key.scopes:
                raise ScopeMissing(f"The key may not {scope}.", scope=scope)
            what, rate = ("upload", settings.upload_rate) if scope == "upload" else ("other", settings.read_rate)
            if rate:
                current_services().rate_limits.hit(what, rate, caller.name)
            g.principal = caller
            return view(*args, **kwargs)

        guarded.access = scope  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


def _authenticate(rate: Rate | None) -> Principal:
    """Who sends this request. Raises Unauthorized, or TooManyRequests for an address that got that too often.

    Counted apart from what is let in: a good key works, however many bad ones its address has sent.
    """
    address, authorization = request.remote_addr or "", request.headers.get("Authorization")
    try:
        forwarded = authorization is None and _is_forwarded()
        return current_services().authenticator.authenticate(authorization, address, forwarded=forwarded)
    except Unauthorized:
        if rate:
            current_services().rate_limits.hit("refused", rate, network(address))
        raise


def _bind_log_context(caller: Principal) -> None:
    """Have the lines of this request say whose it is, those too that say why it was refused."""
    if caller.key:
        who = {"owner": caller.key.owner, "key": caller.key.id}
        logs.caller.set(who)
        request.environ[logs.CALLER] = who


def _unbind_log_context(error: BaseException | None) -> None:
    logs.caller.set(None)


def anonymous_allowed() -> bool:
    """Whether who sends this request does not have to say who they are."""
    return current_services().authenticator.is_open(request.remote_addr or "", forwarded=_is_forwarded())


def public(view: View) -> View:
    """Say of a door that whoever can reach it may use it."""
    view.access = None  # type: ignore[attr-defined]
    return view


@contextmanager
def upload_slot() -> Iterator[Principal]:
    """Hold the caller's slots for an upload while its bytes come in. Raises TooManyUploads.

    An owner may have a quota besides.
    """
    caller: Principal = g.principal
    with ExitStack() as held:
        held.enter_context(body_slot())
        if caller.key and (most := caller.key.quota_uploads) is not None:
            detail = f"At most {most} uploads of one owner at once on a host (flask keys quota, --quota-uploads)."
            held.enter_context(
                current_services().transfers.acquire(f"owner {caller.owner}", most, TooManyUploads(detail, most=most))
            )
        yield caller


def body_slot() -> AbstractContextManager[None]:
    """Hold the caller's slot for a body that is no file while it comes in. Raises TooManyUploads."""
    bound = _bound(g.principal)
    return _transfer_slot(bound, TooManyUploads(bound.detail, most=bound.most))


def download_slot() -> AbstractContextManager[None]:
    """Hold the caller's slot for a download while its bytes go out. Raises TooManyDownloads."""
    bound = _bound(g.principal)
    return _transfer_slot(bound, TooManyDownloads(bound.detail, most=bound.most))


@dataclass(frozen=True)
class _Bound:
    """How many threads of a process one caller can have, under which name they are counted, and who says so."""

    name: str
    most: int
    of: str
    set_by: str

    @property
    def detail(self) -> str:
        """What a refusal says: the bound, and how to raise it."""
        return f"At most {self.most} uploads and downloads of one {self.of} at once in a web process ({self.set_by})."


def _bound(caller: Principal) -> _Bound:
    """A key with a bound of its own is counted by itself, all other transfers by owner or by address."""
    settings, key = config.current(), caller.key
    if key and key.uploads_at_once is not None:
        most = settings.most_of_key(key.uploads_at_once)
        return _Bound(f"key {key.id}", most, "key", "flask keys change, --uploads-at-once; at most 7/8 of WEB_THREADS")
    if key:
        ways = "UPLOADS_AT_ONCE, or for one key: flask keys change, --uploads-at-once"
        return _Bound(caller.name, settings.most_uploads, "owner", ways)
    ways = "UPLOADS_AT_ONCE; a key can have a bound of its own; behind a proxy FORWARDED_HOPS tells addresses apart"
    return _Bound(caller.name, settings.most_uploads, "address", ways)


def _transfer_slot(bound: _Bound, refusal: Problem) -> AbstractContextManager[None]:
    """One caller can't have all threads of a process, however slowly the bytes come and go."""
    return current_services().transfers.acquire(f"process {os.getpid()} {bound.name}", bound.most, refusal)


def _is_forwarded() -> bool:
    """Whether a proxy is expected, or has shown itself."""
    headers, protocol = request.headers, request.environ.get("SERVER_PROTOCOL", "")
    return bool(config.current().forwarded_hops) or was_forwarded(headers.keys(), protocol, headers.get("Connection"))


def init_app(app: Flask) -> None:
    """Unbind a request's log context at its end."""
    app.teardown_request(_unbind_log_context)
