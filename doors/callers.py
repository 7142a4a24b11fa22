"""Who is asking, and whether they may. Every door names the scope that it needs, or says that it is open to all."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, TypeVar

from flask import Flask, current_app, g, request

import config
import logs
import rates
import slots
from doors.known_keys import KnownKeys
from keys import Key
from problems import Problem, ScopeMissing, TooManyDownloads, TooManyUploads, Unauthorized

Scope = Literal["upload", "read", "delete"]
View = TypeVar("View", bound=Callable[..., Any])

_FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Real-IP")


@dataclass(frozen=True)
class Caller:
    """Who is asking. `owner` is whose files they see, None those of nobody; `name` is what they are counted under."""

    owner: str | None
    name: str
    key: Key | None


class Callers:
    """Tells who is asking, by what this process knows of keys."""

    def __init__(self, known: KnownKeys) -> None:
        self._keys = known

    def caller(self, authorization: str | None, address: str, *, forwarded: bool = False) -> Caller:
        """Who sends this `Authorization` (RFC 6750 §2.1) from this address. Raises Unauthorized.

        `forwarded`: by a proxy, which may stand on this machine and serve any other.
        """
        if authorization is None:
            if not self.is_open(forwarded=forwarded):
                raise Unauthorized("This needs an API key: Authorization: Bearer ferry_…")
            return Caller(None, network(address), None)
        scheme, _, token = authorization.partition(" ")
        key = self._keys.fitting(token.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise Unauthorized("The API key is unknown, has ended, or is not written as Bearer ferry_…")
        return Caller(key.owner, key.owner, key)

    def is_open(self, *, forwarded: bool) -> bool:
        """Whether nobody has to say who they are."""
        settings = config.current()
        return settings.allow_anonymous or (settings.is_local and not forwarded and not self._keys.any_exists())


def network(address: str) -> str:
    """What an address is counted under: for IPv6 its /64, because that is what one customer has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else address


def needs(scope: Scope) -> Callable[[View], View]:
    """Let only those through who may do this, and not more often than they may. The caller is `g.caller`."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            caller = _callers().caller(
                request.headers.get("Authorization"), request.remote_addr or "", forwarded=_is_forwarded()
            )
            _note(caller)
            if caller.key and scope not in caller.key.scopes:
                raise ScopeMissing(f"The key may not {scope}.", scope=scope)
            settings = config.current()
            what, rate = ("upload", settings.upload_rate) if scope == "upload" else ("other", settings.read_rate)
            if rate:
                rates.of().hit(what, rate, caller.name)
            g.caller = caller
            return view(*args, **kwargs)

        guarded.access = scope  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


def _note(caller: Caller) -> None:
    """Have the lines of this request say whose it is, those too that say why it was refused."""
    if caller.key:
        who = {"owner": caller.key.owner, "key": caller.key.id}
        logs.caller.set(who)
        request.environ[logs.CALLER] = who


def _forget(error: BaseException | None) -> None:
    logs.caller.set(None)


def everybody_may() -> bool:
    """Whether who sends this request does not have to say who they are."""
    return _callers().is_open(forwarded=_is_forwarded())


def open_to_all(view: View) -> View:
    """Say of a door that whoever can reach it may use it."""
    view.access = None  # type: ignore[attr-defined]
    return view


@contextmanager
def receiving() -> Iterator[Caller]:
    """Hold the caller's slots for an upload while its bytes come in. Raises TooManyUploads.

    An owner may have a quota besides.
    """
    caller: Caller = g.caller
    with ExitStack() as held:
        held.enter_context(_thread(caller, TooManyUploads))
        if caller.key and caller.key.quota_uploads is not None:
            held.enter_context(slots.of().take(f"owner {caller.owner}", caller.key.quota_uploads))
        yield caller


def giving() -> AbstractContextManager[None]:
    """Hold the caller's slot for a download while its bytes go out. Raises TooManyDownloads."""
    return _thread(g.caller, TooManyDownloads)


def _thread(caller: Caller, refusal: type[Problem]) -> AbstractContextManager[None]:
    """One caller can't have all threads of a process, however slowly the bytes come and go."""
    return slots.of().take(f"process {os.getpid()} {caller.name}", config.current().most_uploads, refusal)


def _is_forwarded() -> bool:
    """Whether a proxy says so, or one is expected."""
    return bool(config.current().forwarded_hops) or any(name in request.headers for name in _FORWARDED)


def _callers() -> Callers:
    callers: Callers = current_app.extensions["callers"]
    return callers


def init_app(app: Flask) -> None:
    """Give the app its memory of keys."""
    app.teardown_request(_forget)
    app.extensions["callers"] = Callers(KnownKeys())
