"""The exact security headers of pages, files and data."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from security.headers import Kind, security_headers

COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
DATA = COMMON | {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
FILE = DATA | {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'",
    "Cache-Control": "private, no-store",
}
VIEWER = FILE | {
    "Content-Security-Policy": (
        "default-src 'none'; media-src 'self'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    )
}
PAGE = COMMON | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
}
NO_STORE = {"Cache-Control": "no-store"}
TLS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


@pytest.mark.parametrize(
    ("kind", "secure", "mimetype", "expected"),
    [
        ("page", False, "text/html", PAGE),
        ("page", True, "text/html", PAGE | TLS),
        ("data", False, "text/css", DATA),
        ("data", True, "text/plain", DATA | TLS),
        ("data", False, "application/json", DATA | NO_STORE),
        ("data", True, "application/problem+json", DATA | NO_STORE | TLS),
        ("data", False, None, DATA),
        ("file", False, "image/png", FILE),
        ("file", True, "application/octet-stream", FILE | TLS),
        ("file", False, "application/json", FILE),
        ("file", False, "application/pdf", VIEWER),
        ("file", True, "video/mp4", VIEWER | TLS),
        ("file", False, "audio/mpeg", VIEWER),
        ("file", False, "image/svg+xml", FILE),
        ("file", False, None, FILE),
        ("data", False, "application/pdf", DATA),
    ],
)
def test_security_headers_by_kind_and_type(kind: Kind, secure: bool, mimetype: str, expected: dict[str, str]) -> None:
    assert security_headers(kind, secure=secure, mimetype=mimetype) == expected


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", PAGE),
        ("HEAD", "/", PAGE),
        ("GET", "/docs", PAGE),
        ("GET", "/openapi.json", DATA | NO_STORE),
        ("GET", "/files", DATA | NO_STORE),
        ("GET", "/nothing", DATA | NO_STORE),
        ("POST", "/", DATA | NO_STORE),
        ("POST", "/normal_upload", DATA | NO_STORE),
        ("OPTIONS", "/files", DATA),
        ("GET", "/problems/too-large", DATA),
        ("GET", "/files/unknown/content", DATA | NO_STORE),
        ("GET", "/files.zip", DATA | NO_STORE),
        ("GET", "/static/ferry.css", DATA | {"Cache-Control": "no-cache"}),
    ],
)
def test_every_endpoint_sends_its_security_headers(
    client: FlaskClient, method: str, path: str, expected: dict[str, str]
) -> None:
    response = client.open(path, method=method)
    response.close()

    assert expected.items() <= dict(response.headers).items()
    assert "Strict-Transport-Security" not in response.headers


def test_a_response_without_a_body_has_no_content_type(client: FlaskClient) -> None:
    id = client.post("/normal_upload?name=a", data=b"1", content_type="application/octet-stream").get_json()["id"]

    assert client.options("/files").content_type is None
    assert client.delete(f"/files/{id}").content_type is None


def test_hsts_is_sent_over_tls(client: FlaskClient) -> None:
    assert TLS.items() <= dict(client.get("/", base_url="https://localhost").headers).items()


def test_the_page_obeys_its_own_policy(client: FlaskClient) -> None:
    inline_or_external = r"<style|\sstyle=|<script(?! src=)|\son\w+=|javascript:|https?:"

    assert re.findall(inline_or_external, client.get("/").text) == []
