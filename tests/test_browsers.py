"""What other web sites can have a browser do, and what not."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient

import keys
import lookups
from doors.browsers import is_foreign
from tests.fakes import FORM, form, part

APP = "https://app.example.com"
HOST = "ferry.example.com"


@pytest.mark.parametrize(
    ("site", "origin", "foreign"),
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
def test_a_change_that_another_site_asks_for_is_foreign(site: str | None, origin: str | None, foreign: bool) -> None:
    assert is_foreign("POST", HOST, site=site, origin=origin, token=False, allowed=(APP,)) is foreign


def test_an_origin_without_a_host_is_nobodys_own() -> None:
    """Werkzeug says of a Host that is none that it is empty."""
    assert is_foreign("POST", "", site=None, origin="null", token=False, allowed=())


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_looking_is_free(method: str) -> None:
    assert not is_foreign(method, HOST, site="cross-site", origin="https://evil.example", token=False, allowed=())


def test_a_token_is_sent_by_nobody_unasked() -> None:
    assert not is_foreign("POST", HOST, site="cross-site", origin="https://evil.example", token=True, allowed=())


class Unreadable(io.BytesIO):
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
def test_another_site_uploads_nothing_and_none_of_it_is_read(
    client: FlaskClient, mode: str, sent: dict[str, str]
) -> None:
    headers = {"Content-Type": FORM, "Content-Length": "1000", **sent}
    answer = client.post(f"/{mode}_upload", input_stream=Unreadable(), headers=headers)

    assert (answer.status_code, answer.get_json()["type"]) == (403, "/problems/cross-site-request")
    assert lookups.page(None, 1) == []


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "cross-site", "Authorization": "a key of its own"},
    ],
)
def test_the_page_and_programs_upload(client: FlaskClient, sent: dict[str, str]) -> None:
    if "Authorization" in sent:
        sent = sent | {"Authorization": f"Bearer {keys.create('alice', ['upload'], None)}"}
    answer = client.post(
        "/normal_upload", data=form(part("file", b"x", "a.txt")), headers={"Content-Type": FORM, **sent}
    )

    assert answer.status_code == 201


def test_no_site_is_let_in_unless_it_is_named(client: FlaskClient) -> None:
    answer = client.get("/files", headers={"Origin": APP})

    assert "Access-Control" not in str(answer.headers)
    assert "Vary" not in answer.headers


class TestNamedSite:
    @pytest.fixture
    def settings(self, settings: dict[str, str]) -> dict[str, str]:
        return settings | {"CORS_ORIGINS": f"{APP},http://localhost:5173"}

    def test_it_may_upload_and_see_the_answer(self, client: FlaskClient) -> None:
        headers = {"Content-Type": FORM, "Origin": APP, "Sec-Fetch-Site": "cross-site"}
        answer = client.post("/normal_upload", data=form(part("file", b"x", "a.txt")), headers=headers)

        assert answer.status_code == 201
        assert answer.headers["Access-Control-Allow-Origin"] == APP
        assert answer.headers["Access-Control-Expose-Headers"] == (
            "Location, ETag, Retry-After, Idempotency-Replayed, X-Request-ID, Content-Disposition, Content-Range"
        )
        assert answer.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in answer.headers

    def test_it_sees_problems_too(self, client: FlaskClient) -> None:
        assert client.get("/nothing", headers={"Origin": APP}).headers["Access-Control-Allow-Origin"] == APP

    @pytest.mark.parametrize(
        ("path", "methods"), [("/files", {"GET", "HEAD", "OPTIONS"}), ("/normal_upload", {"POST", "OPTIONS"})]
    )
    def test_its_preflight_tells_what_the_address_takes(
        self, client: FlaskClient, path: str, methods: set[str]
    ) -> None:
        answer = client.options(path, headers={"Origin": APP, "Access-Control-Request-Method": "POST"})

        assert answer.status_code == 200
        assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == methods
        assert answer.headers["Access-Control-Allow-Headers"] == (
            "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID"
        )
        assert answer.headers["Access-Control-Max-Age"] == "600"

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", APP.upper(), f"{APP}.evil.example", f"{APP}/"])
    def test_others_get_nothing(self, client: FlaskClient, origin: str) -> None:
        answer = client.options("/files", headers={"Origin": origin, "Access-Control-Request-Method": "GET"})

        assert "Access-Control" not in str(answer.headers)
        assert answer.headers["Vary"] == "Origin"
