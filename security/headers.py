"""Security headers of every response: no script, no embedding, no type sniffing, no referrer (OWASP HTTP Headers).

Only Ferry's own pages may load their script and style and send files to it.
"""

from __future__ import annotations

import re
from typing import Literal

from flask import Flask, Response, request

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
"""The policy of uploaded files: `sandbox` gives them an opaque origin, separate from the pages.

`style-src`: browsers wrap an image that is opened as a document in one with an inline style.
"""
VIEWER_POLICY = (
    "default-src 'none'; media-src 'self'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
)
"""The policy of PDF, audio and video: the browser's viewer is a document that loads the file again, from its origin.

WebKit shows a sandboxed PDF as a blank page, and Chromium plays no sandboxed video. Safe without `sandbox`: the type is
detected from the bytes and fixed by `nosniff`, files of these types run no script in the page, and none is allowed.
"""
_COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_HSTS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}
_JSON_TYPES = ("application/json", "application/problem+json")
_PAGE_ENDPOINTS = ("ferry.index", "api_docs.docs", "files.status")
_FILE_ENDPOINTS = ("downloads.content", "downloads.archive")

Kind = Literal["page", "file", "data"]
_POLICIES: dict[Kind, str] = {"page": PAGE_POLICY, "file": FILE_POLICY, "data": DATA_POLICY}
_VIEWER_TYPES = re.compile(r"application/pdf|(?:audio|video)/.+")


def security_headers(kind: Kind, *, secure: bool, mimetype: str | None) -> dict[str, str]:
    """The headers of a response: a page of Ferry's, an uploaded file, or data. `secure`: sent over TLS.

    With `no-referrer` a browser sends the page's own form with `Origin: null` (Fetch, append a request Origin header),
    which is refused unless Sec-Fetch-Site is sent too; `same-origin` reveals as little to other sites.
    """
    return {
        **_COMMON,
        "Content-Security-Policy": _policy(kind, mimetype),
        "Referrer-Policy": "same-origin" if kind == "page" else "no-referrer",
        **(_HSTS if secure else {}),
        **({"Cache-Control": "no-store"} if mimetype in _JSON_TYPES else {}),
        **({"Cache-Control": "private, no-store"} if kind == "file" else {}),
    }


def _policy(kind: Kind, mimetype: str | None) -> str:
    return VIEWER_POLICY if kind == "file" and _VIEWER_TYPES.fullmatch(mimetype or "") else _POLICIES[kind]


def _kind(response: Response) -> Kind:
    if request.endpoint in _PAGE_ENDPOINTS and response.mimetype == "text/html":
        return "page"
    return "file" if request.endpoint in _FILE_ENDPOINTS and response.status_code < 400 else "data"


def _add_headers(response: Response) -> Response:
    kind = _kind(response)
    response.headers.update(security_headers(kind, secure=request.is_secure, mimetype=response.mimetype))
    if kind != "page" and response.mimetype == "text/html":  # Flask's default for a response without a body.
        del response.headers["Content-Type"]
    return response


def init_app(app: Flask) -> None:
    """Add the security headers to every response of the app."""
    app.after_request(_add_headers)
