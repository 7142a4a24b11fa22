"""What other web sites can have a browser do, and what not."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient

from api.openapi.components import HEADERS
from app import create_app
from auth import api_keys
from lifecycle import queries
from problems import UriTooLong
from security.cross_site import is_cross_site, preflight
from server.error_responses import error_response
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
    assert is_cross_site("POST", HOST, site=site, origin=origin, token=False, allowed=(APP,)) is foreign


def test_an_origin_without_a_host_is_nobodys_own() -> None:
    """Werkzeug says of a Host that is none that it is empty."""
    assert is_cross_site("POST", "", site=None, origin="null", token=False, allowed=())


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_looking_is_free(method: str) -> None:
    assert not is_cross_site(method, HOST, site="cross-site", origin="https://evil.example", token=False, allowed=())


def test_a_token_is_sent_by_nobody_unasked() -> None:
    assert not is_cross_site("POST", HOST, site="cross-site", origin="https://evil.example", token=True, allowed=())


@pytest.mark.parametrize(
    ("host", "sent", "named"),
    [
        # nginx with `Host $host`, listening on 8443: the browser's port is lost on the way.
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
def test_a_refusal_names_both_sides_and_the_settings(
    settings: dict[str, str], host: str, sent: dict[str, str], named: str
) -> None:
    client = create_app(settings | {"TRUSTED_HOSTS": "nas.local,localhost"}).test_client()
    detail = client.post("/normal_upload", base_url=f"http://{host}", headers=sent).get_json()["detail"]

    assert named in detail
    assert "CORS_ORIGINS" in detail
    assert "FORWARDED_HOPS" in detail


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
    assert queries.page(None, 1) == []


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
        sent = sent | {"Authorization": f"Bearer {api_keys.create('alice', ['upload'], None)}"}
    answer = client.post(
        "/normal_upload", data=form(part("file", b"x", "a.txt")), headers={"Content-Type": FORM, **sent}
    )

    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("method", "asked", "allowed"),
    [
        ("PUT", "", {"Access-Control-Allow-Methods": "PUT"}),
        ("P T", "a b,x-good, ,\r\nevil,ä", {"Access-Control-Allow-Headers": "x-good, evil"}),
    ],
)
def test_a_preflight_allows_nothing_but_tokens(method: str, asked: str, allowed: dict[str, str]) -> None:
    assert preflight(method, asked) == {"Access-Control-Max-Age": "600", **allowed}


@pytest.mark.parametrize(("readable", "times"), [(True, 1), (False, 0)])
def test_a_refusal_of_the_server_itself_can_be_read_where_sites_are_named(readable: bool, times: int) -> None:
    assert (
        error_response(UriTooLong(), "1", readable=readable).count(b"\r\nAccess-Control-Allow-Origin: *\r\n") == times
    )


def test_no_site_is_let_in_unless_it_is_named(client: FlaskClient) -> None:
    answer = client.get("/files", headers={"Origin": APP})

    assert "Access-Control" not in str(answer.headers)
    assert "Vary" not in answer.headers


class TestNamedSite:
    @pytest.fixture
    def settings(self, settings: dict[str, str]) -> dict[str, str]:
        return settings | {"CORS_ORIGINS": f"{APP},http://localhost:5173", "MAX_FILE_SIZE": "8"}

    def test_it_may_upload_and_see_the_answer(self, client: FlaskClient) -> None:
        headers = {"Content-Type": FORM, "Origin": APP, "Sec-Fetch-Site": "cross-site"}
        answer = client.post("/normal_upload", data=form(part("file", b"x", "a.txt")), headers=headers)

        assert answer.status_code == 201
        assert answer.headers["Access-Control-Allow-Origin"] == APP
        assert answer.headers["Vary"] == "Accept, Origin"
        assert "Access-Control-Allow-Credentials" not in answer.headers

    def test_it_may_read_every_header_that_the_api_describes(self, client: FlaskClient) -> None:
        shown = client.get("/files", headers={"Origin": APP}).headers["Access-Control-Expose-Headers"].split(", ")

        assert {*HEADERS, "Allow", "Content-Length"} <= set(shown)

    @pytest.mark.parametrize(
        ("method", "path", "sent", "status"),
        [
            ("GET", "/nothing", {}, 404),
            ("GET", "/normal_upload", {}, 405),
            ("GET", "/files", {"Authorization": "Bearer wrong"}, 401),
            ("GET", "/files?limit=x", {}, 400),
            ("POST", "/async_upload?name=a", {"Content-Type": "image/png"}, 413),
            ("POST", "/normal_upload", {"Content-Type": FORM, "Content-Range": "bytes 0-1/9"}, 400),
            (
                "POST",
                "/normal_upload?name=a",
                {"Content-Type": "image/png", "Content-Encoding": "gzip", "Content-Length": "1"},
                415,
            ),
            ("GET", "/files", {"Host": "elsewhere.example"}, 400),
        ],
    )
    def test_it_sees_problems_too(
        self, client: FlaskClient, method: str, path: str, sent: dict[str, str], status: int
    ) -> None:
        answer = client.open(
            path, method=method, input_stream=io.BytesIO(b"too large"), headers={"Origin": APP, **sent}
        )

        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, APP)
        assert answer.mimetype == "application/problem+json"

    @pytest.mark.parametrize(
        ("method", "asked"),
        [
            ("POST", "cache-control,x-requested-with"),  # Dropzone
            ("POST", "authorization,x-requested-with"),  # axios, jQuery
            ("POST", "upload-length"),  # FilePond in chunks
            ("POST", "authorization,content-type,idempotency-key"),
            ("PUT", "content-disposition,content-type"),
            ("GET", "authorization,range,if-range"),  # pdf.js
            ("GET", "if-match,if-modified-since,if-none-match,if-unmodified-since,last-event-id,x-request-id"),
            ("GET", "baggage,sentry-trace,traceparent,tracestate,x-datadog-trace-id"),
            ("DELETE", "authorization"),
        ],
    )
    @pytest.mark.parametrize("path", ["/normal_upload", "/files/no-such-id/content", "/nothing"])
    def test_its_preflight_is_allowed_whatever_it_asks(
        self, client: FlaskClient, path: str, method: str, asked: str
    ) -> None:
        """Without a key, and where the request itself will be refused: only then can the page read why."""
        api_keys.create("alice", ["upload"], None)
        sent = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": asked}
        answer = client.options(path, headers={"Origin": APP, **sent})

        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (204, APP)
        assert answer.headers["Access-Control-Allow-Methods"] == method
        assert answer.headers["Access-Control-Allow-Headers"] == asked.replace(",", ", ")
        assert answer.headers["Access-Control-Max-Age"] == "600"
        assert set(answer.vary) == {"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}

    def test_what_is_no_preflight_is_told_what_the_address_takes(self, client: FlaskClient) -> None:
        answer = client.options("/files", headers={"Origin": APP})

        assert (answer.status_code, set(answer.allow)) == (200, {"GET", "HEAD", "OPTIONS"})

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", APP.upper(), f"{APP}.evil.example", f"{APP}/"])
    def test_others_get_nothing(self, client: FlaskClient, origin: str) -> None:
        answer = client.options("/files", headers={"Origin": origin, "Access-Control-Request-Method": "GET"})

        assert "Access-Control-Allow" not in str(answer.headers)
        assert "Origin" in answer.vary
