"""What every answer tells a browser: run nothing, embed nothing, guess nothing, tell nobody (OWASP HTTP Headers).

The pages may load their own script and style and send files here. Whatever else is answered is data.
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
"""The policy of uploaded files: `sandbox` gives them an origin of their own, apart from the pages.

`style-src`: browsers put a picture that is opened by itself into a document with a style of theirs.
"""
VIEWER_POLICY = (
    "default-src 'none'; media-src 'self'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
)
"""The policy of PDF, audio and video: their viewer is a document that loads the file again, from the same origin.

WebKit shows a sandboxed PDF as a blank page, and Chromium plays no sandboxed video. What protects instead: the type is
by the bytes and `nosniff` keeps it, none of these types holds a script for the page, and no script is allowed.
"""
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_TLS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}
_JSON = ("application/json", "application/problem+json")
_PAGES = ("ferry.index", "api_docs.docs", "files.status")
_FILES = ("downloads.content", "downloads.archive")

Kind = Literal["page", "file", "data"]
_POLICIES: dict[Kind, str] = {"page": PAGE_POLICY, "file": FILE_POLICY, "data": DATA_POLICY}
_VIEWED = re.compile(r"application/pdf|(?:audio|video)/.+")


def headers_of(kind: Kind, *, secure: bool, mimetype: str | None) -> dict[str, str]:
    """The headers of an answer: a page of ours, what was uploaded, or data. `secure`: it goes over TLS.

    Under `no-referrer` a browser sends the page's own form with `Origin: null` (Fetch, append a request Origin header),
    which is refused where no Sec-Fetch-Site vouches for it; `same-origin` tells others as little.
    """
    return {
        **_ALWAYS,
        "Content-Security-Policy": _policy(kind, mimetype),
        "Referrer-Policy": "same-origin" if kind == "page" else "no-referrer",
        **(_TLS if secure else {}),
        **({"Cache-Control": "no-store"} if mimetype in _JSON else {}),
        **({"Cache-Control": "private, no-store"} if kind == "file" else {}),
    }


def _policy(kind: Kind, mimetype: str | None) -> str:
    return VIEWER_POLICY if kind == "file" and _VIEWED.fullmatch(mimetype or "") else _POLICIES[kind]


def _kind(answer: Response) -> Kind:
    if request.endpoint in _PAGES and answer.mimetype == "text/html":
        return "page"
    return "file" if request.endpoint in _FILES and answer.status_code < 400 else "data"


def _add(answer: Response) -> Response:
    kind = _kind(answer)
    answer.headers.update(headers_of(kind, secure=request.is_secure, mimetype=answer.mimetype))
    if kind != "page" and answer.mimetype == "text/html":  # What Flask calls an answer without a body.
        del answer.headers["Content-Type"]
    return answer


def init_app(app: Flask) -> None:
    """Add them to every answer of the app."""
    app.after_request(_add)
