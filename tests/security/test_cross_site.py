"""Unsafe requests from other sites are refused."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient

from app import create_app
from auth import api_keys
from lifecycle import queries
from security.cross_site import is_cross_site
from tests.fakes import FORM, form, part

APP = "https://app.example.com"
HOST = "ferry.example.com"


@pytest.mark.parametrize(
    ("site", "origin", "cross_site"),
    [
        (None, None, False),  # a program
        ("same-origin", "http://ferry.example.com", False),
        ("same-origin", "null", False),
        ("same-origin", "https://name-that-the-proxy-hides.example.com", False),
        ("none", None, False),
        ("cross-site", None, True),
        ("cross-site", "https://evil.example", True),
        ("cross-site", "http://ferry.example.com", True),
        ("same-site", "https://blog.example.com", True),
        (None, "http://ferry.example.com", False),
        (None, "https://ferry.example.com", False),
        (None, "http://ferry.example.com:8080", True),
        (None, "https://evil.example", True),
        (None, "https://ferry.example.com.evil.example", True),
        (None, "https://evil.example/ferry.example.com", True),
        (None, "null", True),
        (None, "", True),
        (None, "http://[", True),
        (None, "http://[::1", True),
        (None, f"https://{HOST}/", True),
        (None, HOST, True),
        ("unheard-of", "https://evil.example", True),
        ("cross-site", APP, False),
        (None, APP, False),
    ],
)
def test_an_unsafe_request_of_another_site_is_cross_site(
    site: str | None, origin: str | None, cross_site: bool
) -> None:
    assert is_cross_site("POST", HOST, site=site, origin=origin, has_token=False, allowed=(APP,)) is cross_site


def test_an_origin_without_a_host_is_cross_site() -> None:
    """Werkzeug returns an empty host for a malformed Host header."""
    assert is_cross_site("POST", "", site=None, origin="null", has_token=False, allowed=())


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_methods_are_allowed(method: str) -> None:
    assert not is_cross_site(
        method, HOST, site="cross-site", origin="https://evil.example", has_token=False, allowed=()
    )


def test_a_request_with_a_token_is_allowed() -> None:
    assert not is_cross_site("POST", HOST, site="cross-site", origin="https://evil.example", has_token=True, allowed=())


@pytest.mark.parametrize(
    ("host", "sent", "named"),
    [
        # nginx with `Host $host` on port 8443 drops the browser's port.
        ("nas.local", {"Origin": "https://nas.local:8443"}, 'Origin "https://nas.local:8443", but Host "nas.local"'),
        # A development server with changeOrigin.
        ("localhost", {"Origin": "http://localhost:5173", "Sec-Fetch-Site": "same-site"},
         'Origin "http://localhost:5173", Sec-Fetch-Site "same-site", but Host "localhost"'),
        ("localhost", {"Sec-Fetch-Site": "cross-site"}, 'Sec-Fetch-Site "cross-site", but Host "localhost"'),
        ("localhost", {"Origin": 'http://a"\xe9\x1b'}, 'Origin "http://a???", but'),
        ("localhost", {"Origin": "http://" + "a" * 9000}, f'Origin "http://{"a" * 93}…", but'),
    ],
    ids=["port", "change-origin", "no-origin", "control", "long"],
)  # fmt: skip
def test_a_refusal_names_both_headers_and_the_settings(
    settings: dict[str, str], host: str, sent: dict[str, str], named: str
) -> None:
    client = create_app(settings | {"TRUSTED_HOSTS": "nas.local,localhost"}).test_client()
    detail = client.post("/normal_upload", base_url=f"http://{host}", headers=sent).get_json()["detail"]

    assert named in detail
    assert "CORS_ORIGINS" in detail
    assert "FORWARDED_HOPS" in detail


class UnreadBody(io.BytesIO):
    def read(self, *_: object) -> bytes:
        raise AssertionError("the body was read")

    readline = readinto = read  # type: ignore[assignment]


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
@pytest.mark.parametrize(
    "sent",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site", "Authorization": "Basic bWU6aHVudGVyMg=="},
    ],
)
def test_an_upload_of_another_site_is_refused_unread(client: FlaskClient, mode: str, sent: dict[str, str]) -> None:
    headers = {"Content-Type": FORM, "Content-Length": "1000", **sent}
    response = client.post(f"/{mode}_upload", input_stream=UnreadBody(), headers=headers)

    assert (response.status_code, response.get_json()["type"]) == (403, "/problems/cross-site-request")
    assert queries.page(None, 1) == []


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "cross-site", "Authorization": "a key of its own"},
    ],
)
def test_the_page_and_programs_may_upload(client: FlaskClient, sent: dict[str, str]) -> None:
    if "Authorization" in sent:
        sent = sent | {"Authorization": f"Bearer {api_keys.create('alice', ['upload'], None)}"}
    response = client.post(
        "/normal_upload", data=form(part("file", b"x", "a.txt")), headers={"Content-Type": FORM, **sent}
    )

    assert response.status_code == 201
