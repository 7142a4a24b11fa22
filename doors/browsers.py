"""What web sites may have a browser do here. A browser sends a form to anybody, and asks nobody first.

Only the service's own page may change something, and the sites of CORS_ORIGINS. Programs are not browsers: they send
neither Sec-Fetch-Site nor Origin, and are not concerned.
"""

from __future__ import annotations

from collections.abc import Collection

from flask import Flask, Response, request

import config
from problems import CrossSiteRequest

_SAFE = ("GET", "HEAD", "OPTIONS")
_SENT = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID"
_SHOWN = "Location, ETag, Retry-After, Idempotency-Replayed, X-Request-ID, Content-Disposition, Content-Range"
_PREFLIGHT_SECONDS = 600


def is_foreign(
    method: str, host: str, *, site: str | None, origin: str | None, token: bool, allowed: Collection[str]
) -> bool:
    """Whether a request changes something and was made by another web site than `host` and `allowed`.

    `site` is Sec-Fetch-Site (W3C Fetch Metadata), which no script can set; older browsers, and all of them over plain
    HTTP, send only `origin`. `token`: the request has a header that no browser adds by itself.
    """
    if method in _SAFE or token or origin in allowed:
        return False
    if site in ("cross-site", "same-site"):
        return True
    if site in ("same-origin", "none") or origin is None:
        return False
    # An origin is a scheme and a host, and nothing else (RFC 6454 §6.2). What is none is nobody's.
    return origin.partition("://")[1:] != ("://", host.lower())


def cors(origin: str | None, methods: str | None, allowed: Collection[str]) -> dict[str, str]:
    """The CORS headers (Fetch, CORS protocol) of an answer to `origin`; `methods` where it is one to a preflight."""
    if origin not in allowed:
        return {}
    answer = {"Access-Control-Allow-Origin": str(origin), "Access-Control-Expose-Headers": _SHOWN}
    if methods is None:
        return answer
    return answer | {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": _SENT,
        "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
    }


def _check() -> None:
    """Raises CrossSiteRequest, before a byte of the body is read."""
    if is_foreign(
        request.method,
        request.host,
        site=request.headers.get("Sec-Fetch-Site"),
        origin=request.headers.get("Origin"),
        # Basic and its kin are sent by the browser itself.
        token=request.headers.get("Authorization", "").lower().startswith("bearer "),
        allowed=config.current().cors_origins,
    ):
        raise CrossSiteRequest


def _add(answer: Response) -> Response:
    allowed = config.current().cors_origins
    if allowed:
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        methods = answer.headers.get("Allow") if preflight else None
        answer.headers.update(cors(request.headers.get("Origin"), methods, allowed))
        answer.vary.add("Origin")
    return answer


def init_app(app: Flask) -> None:
    """Refuse what other sites make browsers do; let those of CORS_ORIGINS."""
    app.before_request(_check)
    app.after_request(_add)
