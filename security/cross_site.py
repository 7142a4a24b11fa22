"""Protection against cross-site requests (CSRF), and CORS for the sites of CORS_ORIGINS.

A browser sends a form to any site without a preflight, so unsafe requests are accepted only from the service's own page
and from listed sites. Other programs send neither Sec-Fetch-Site nor Origin and are not affected.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from flask import Flask, Response, request

import config
from problems import CrossSiteRequest, quoted

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
EXPOSED_HEADERS = (
    "Accept-Ranges, Allow, Content-Disposition, Content-Length, Content-Range, ETag, Idempotency-Replayed,"
    " Last-Modified, Location, Retry-After, WWW-Authenticate, X-Request-ID"
)
"""The response headers that pages may read. Listed by name: not every browser in use supports `*`."""
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PREFLIGHT_SECONDS = 600


def is_cross_site(
    method: str, host: str, *, site: str | None, origin: str | None, has_token: bool, allowed: Collection[str]
) -> bool:
    """Whether an unsafe request was made by a web site other than `host` and the `allowed` origins.

    `site`: the Sec-Fetch-Site header (W3C Fetch Metadata), which no script can set. Older browsers, and all of them
    over plain HTTP, send only `origin`. `has_token`: the request has a header that browsers never add themselves.
    """
    if method in _SAFE_METHODS or has_token or origin in allowed:
        return False
    if site in ("cross-site", "same-site"):
        return True
    if site in ("same-origin", "none") or origin is None:
        return False
    # An origin is a scheme and a host and nothing else (RFC 6454 §6.2): a malformed one matches no host.
    return origin.partition("://")[1:] != ("://", host.lower())


def _mismatch(host: str, origin: str | None, site: str | None) -> str:
    """The headers that disagree and the settings that matter. Values of the client are quoted and cut."""
    headers = {"Origin": origin, "Sec-Fetch-Site": site}
    seen = ", ".join(f"{name} {quoted(value)}" for name, value in headers.items() if value is not None)
    return (
        f"A page of another site sent it: {seen}, but Host {quoted(host)}. If that site may use the service, add its"
        " origin to the setting CORS_ORIGINS. If the page is the service's own, a proxy changes the host or the port:"
        " let it pass on the browser's Host (nginx: $http_host), or X-Forwarded-Host with the setting FORWARDED_HOPS."
    )


def cors_headers(origin: str | None, allowed: Collection[str]) -> dict[str, str]:
    """The CORS headers (Fetch, CORS protocol) of every response to `origin`, so that its page can read errors too."""
    if origin not in allowed:
        return {}
    return {"Access-Control-Allow-Origin": str(origin), "Access-Control-Expose-Headers": EXPOSED_HEADERS}


def preflight_headers(method: str, headers: str) -> dict[str, str]:
    """The CORS headers that allow a listed site this method with these request `headers`.

    Uploaders, viewers and monitoring scripts add headers of their own (Cache-Control, X-Requested-With, Range,
    traceparent …), and a page can't see why a preflight failed. Every token (RFC 9110 §5.6.2) is therefore allowed, and
    the request itself is answered with 404, 405 or 401 if necessary. `*` would not include Authorization.
    """
    names = [name for name in (item.strip() for item in headers.split(",")) if _TOKEN.fullmatch(name)]
    return {
        **({"Access-Control-Allow-Methods": method} if _TOKEN.fullmatch(method) else {}),
        **({"Access-Control-Allow-Headers": ", ".join(names)} if names else {}),
        "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
    }


def _check() -> None:
    """Raises CrossSiteRequest before any byte of the body is read."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if is_cross_site(
        request.method,
        request.host,
        site=site,
        origin=origin,
        # Browsers send credentials of Basic, Digest and Negotiate automatically.
        has_token=request.headers.get("Authorization", "").lower().startswith("bearer "),
        allowed=config.current().cors_origins,
    ):
        raise CrossSiteRequest(_mismatch(request.host, origin, site))


def _answer_preflight() -> Response | None:
    """Answer a preflight of a listed site, for every path. Needs no API key and looks up no file."""
    method = request.headers.get("Access-Control-Request-Method")
    if request.method != "OPTIONS" or method is None:
        return None
    if request.headers.get("Origin") not in config.current().cors_origins:
        return None
    return Response(
        status=204, headers=preflight_headers(method, request.headers.get("Access-Control-Request-Headers", ""))
    )


def _add_headers(response: Response) -> Response:
    allowed = config.current().cors_origins
    if allowed:
        response.headers.update(cors_headers(request.headers.get("Origin"), allowed))
        response.vary.add("Origin")
        if request.method == "OPTIONS":
            response.vary.update(("Access-Control-Request-Method", "Access-Control-Request-Headers"))
    return response


def init_app(app: Flask) -> None:
    """Check every request, answer preflights, and add CORS headers to every response."""
    app.before_request(_check)
    app.before_request(_answer_preflight)
    app.after_request(_add_headers)
