"""The exact headers that keep a browser from running, embedding or guessing anything."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from headers import headers_of

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
DATA = EVERYWHERE | {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
PAGE = EVERYWHERE | {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
}
NO_STORE = {"Cache-Control": "no-store"}
TLS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


@pytest.mark.parametrize(
    ("page", "secure", "mimetype", "expected"),
    [
        (True, False, "text/html", PAGE),
        (True, True, "text/html", PAGE | TLS),
        (False, False, "text/css", DATA),
        (False, True, "text/plain", DATA | TLS),
        (False, False, "application/json", DATA | NO_STORE),
        (False, True, "application/problem+json", DATA | NO_STORE | TLS),
        (False, False, None, DATA),
    ],
)
def test_an_answer_has_exactly_these(page: bool, secure: bool, mimetype: str, expected: dict[str, str]) -> None:
    assert headers_of(page=page, secure=secure, mimetype=mimetype) == expected


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", PAGE),
        ("HEAD", "/", PAGE),
        ("GET", "/files", DATA | NO_STORE),
        ("GET", "/nothing", DATA | NO_STORE),
        ("POST", "/", DATA | NO_STORE),
        ("POST", "/normal_upload", DATA | NO_STORE),
        ("OPTIONS", "/files", DATA),
        ("GET", "/problems/too-large", DATA),
        ("GET", "/static/ferry.css", DATA | {"Cache-Control": "no-cache"}),
    ],
)
def test_every_address_answers_with_them(client: FlaskClient, method: str, path: str, expected: dict[str, str]) -> None:
    answer = client.open(path, method=method)
    answer.close()

    assert expected.items() <= dict(answer.headers).items()
    assert "Strict-Transport-Security" not in answer.headers


def test_only_tls_is_told_to_stay(client: FlaskClient) -> None:
    assert TLS.items() <= dict(client.get("/", base_url="https://localhost").headers).items()


def test_the_page_keeps_its_own_policy(client: FlaskClient) -> None:
    inline_or_elsewhere = r"<style|\sstyle=|<script(?! src=)|\son\w+=|javascript:|https?:"

    assert re.findall(inline_or_elsewhere, client.get("/").text) == []
