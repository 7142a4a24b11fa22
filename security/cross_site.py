"""What web sites may have a browser do here. A browser sends a form to anybody, and asks nobody first.

Only the service's own page may change something, and the sites of CORS_ORIGINS. Programs are not browsers: they send
neither Sec-Fetch-Site nor Origin, and are not concerned.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from flask import Flask, Response, request

import config
from problems import CrossSiteRequest, quoted

_SAFE = ("GET", "HEAD", "OPTIONS")
EXPOSED_HEADERS = (
    "Accept-Ranges, Allow, Content-Disposition, Content-Length, Content-Range, ETag, Idempotency-Replayed,"
    " Last-Modified, Location, Retry-After, WWW-Authenticate, X-Request-ID"
)
"""What Ferry sends and pages read. By name: not all web views in use know `*`."""
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PREFLIGHT_SECONDS = 600


def is_cross_site(
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


def both_sides(host: str, origin: str | None, site: str | None) -> str:
    """Why a request is foreign, and which settings decide it. What the client chose is quoted and cut."""
    sent = {"Origin": origin, "Sec-Fetch-Site": site}
    said = ", ".join(f"{name} {quoted(value)}" for name, value in sent.items() if value is not None)
    return (
        f"A page of another site sent it: {said}, but Host {quoted(host)}. If that site may use the service, add its"
        " origin to the setting CORS_ORIGINS. If the page is the service's own, a proxy changes the host or the port:"
        " let it pass on the browser's Host (nginx: $http_host), or X-Forwarded-Host with the setting FORWARDED_HOPS."
    )


def cors(origin: str | None, allowed: Collection[str]) -> dict[str, str]:
    """The CORS headers (Fetch, CORS protocol) of an answer to `origin`, problems included: a page can read them."""
    if origin not in allowed:
        return {}
    return {"Access-Control-Allow-Origin": str(origin), "Access-Control-Expose-Headers": EXPOSED_HEADERS}


def preflight(method: str, headers: str) -> dict[str, str]:
    """The CORS headers that allow a listed site the request that it announces: this method with these `headers`.

    Uploaders, viewers and monitoring scripts add headers of their own (Cache-Control, X-Requested-With, Range,
    traceparent …), and a request that is stopped here shows its page no reason. Whatever is a token (RFC 9110 §5.6.2)
    is allowed: the request itself is then answered, with 404, 405 or 401 where it must be. `*` would leave out
    Authorization.
    """
    names = [name for name in (item.strip() for item in headers.split(",")) if _TOKEN.fullmatch(name)]
    return {
        **({"Access-Control-Allow-Methods": method} if _TOKEN.fullmatch(method) else {}),
        **({"Access-Control-Allow-Headers": ", ".join(names)} if names else {}),
        "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
    }


def _check() -> None:
    """Raises CrossSiteRequest, before a byte of the body is read."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if is_cross_site(
        request.method,
        request.host,
        site=site,
        origin=origin,
        # Basic and its kin are sent by the browser itself.
        token=request.headers.get("Authorization", "").lower().startswith("bearer "),
        allowed=config.current().cors_origins,
    ):
        raise CrossSiteRequest(both_sides(request.host, origin, site))


def _answer_preflight() -> Response | None:
    """The answer to the preflight of a listed site, for every address. It needs no key, and finds no file."""
    method = request.headers.get("Access-Control-Request-Method")
    if request.method != "OPTIONS" or method is None:
        return None
    if request.headers.get("Origin") not in config.current().cors_origins:
        return None
    return Response(status=204, headers=preflight(method, request.headers.get("Access-Control-Request-Headers", "")))


def _add(answer: Response) -> Response:
    allowed = config.current().cors_origins
    if allowed:
        answer.headers.update(cors(request.headers.get("Origin"), allowed))
        answer.vary.add("Origin")
        if request.method == "OPTIONS":
            answer.vary.update(("Access-Control-Request-Method", "Access-Control-Request-Headers"))
    return answer


def init_app(app: Flask) -> None:
    """Refuse what other sites make browsers do; let those of CORS_ORIGINS."""
    app.before_request(_check)
    app.before_request(_answer_preflight)
    app.after_request(_add)
