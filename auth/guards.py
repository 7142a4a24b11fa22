"""Guards of views: authentication, scope and rate limit. Every view is `requires_scope` or `public`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, TypeVar

from flask import g, request

import config
import logs
from auth.authenticator import Principal, was_forwarded
from config_types import Rate
from problems import ScopeMissing, Unauthorized
from server.addresses import network
from services import current_services

Scope = Literal["upload", "read", "delete"]
View = TypeVar("View", bound=Callable[..., Any])


def requires_scope(scope: Scope) -> Callable[[View], View]:
    """Require an API key with this scope and apply the rate limit. The view finds its client in `g.principal`.

    @files.get("/files")
    @requires_scope("read")
    def list_files(): ...
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            settings = config.current()
            principal = _authenticate(settings.request_rate_limit)
            _bind_log_context(principal)
            if principal.key and scope not in principal.key.scopes:
                raise ScopeMissing(f"The API key lacks the scope {scope}.", scope=scope)
            action, rate = (
                ("upload", settings.upload_rate_limit) if scope == "upload" else ("other", settings.request_rate_limit)
            )
            if rate:
                current_services().rate_limits.hit(action, rate, principal.name)
            g.principal = principal
            return view(*args, **kwargs)

        guarded.access = scope  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


def _authenticate(rate: Rate | None) -> Principal:
    """The principal of the current request. Raises Unauthorized, or TooManyRequests after many of those.

    Refused requests are counted by address, apart from accepted ones: a valid key works, however many invalid ones
    were sent from its address.
    """
    address, authorization = request.remote_addr or "", request.headers.get("Authorization")
    try:
        forwarded = authorization is None and _is_forwarded()
        return current_services().authenticator.authenticate(authorization, address, forwarded=forwarded)
    except Unauthorized:
        if rate:
            current_services().rate_limits.hit("refused", rate, network(address))
        raise


def _bind_log_context(principal: Principal) -> None:
    """Add owner and key to the log lines of this request, the access log's included."""
    if principal.key:
        context = {"owner": principal.key.owner, "key": principal.key.id}
        logs.bind(**context)
        request.environ[logs.PRINCIPAL] = context


def anonymous_allowed() -> bool:
    """Whether the current request would be accepted without an API key."""
    return current_services().authenticator.allows_anonymous(request.remote_addr or "", forwarded=_is_forwarded())


def public(view: View) -> View:
    """Mark a view as one that needs no authentication."""
    view.access = None  # type: ignore[attr-defined]
    return view


def _is_forwarded() -> bool:
    """Whether a proxy is configured (FORWARDED_HOPS) or detected."""
    headers, protocol = request.headers, request.environ.get("SERVER_PROTOCOL", "")
    return bool(config.current().forwarded_hops) or was_forwarded(headers.keys(), protocol, headers.get("Connection"))
