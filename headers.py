"""What every answer tells a browser: run nothing, embed nothing, guess nothing, tell nobody (OWASP HTTP Headers).

The page may load its own script and style and send files here. Whatever else is answered is data.
"""

from __future__ import annotations

from flask import Flask, Response, request

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_TLS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}
_JSON = ("application/json", "application/problem+json")


def headers_of(*, page: bool, secure: bool, mimetype: str | None) -> dict[str, str]:
    """The headers of an answer. `secure`: it goes over TLS. `page`: it is the page with the form.

    Under `no-referrer` a browser sends the page's own form with `Origin: null` (Fetch, append a request Origin header),
    which is refused where no Sec-Fetch-Site vouches for it; `same-origin` tells others as little.
    """
    return {
        **_ALWAYS,
        "Content-Security-Policy": PAGE_POLICY if page else DATA_POLICY,
        "Referrer-Policy": "same-origin" if page else "no-referrer",
        **(_TLS if secure else {}),
        **({"Cache-Control": "no-store"} if mimetype in _JSON else {}),
    }


def _add(answer: Response) -> Response:
    page = request.endpoint == "ferry.index" and answer.mimetype == "text/html"
    answer.headers.update(headers_of(page=page, secure=request.is_secure, mimetype=answer.mimetype))
    return answer


def init_app(app: Flask) -> None:
    """Add them to every answer of the app."""
    app.after_request(_add)
