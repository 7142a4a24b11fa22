"""CORS headers for the sites listed in CORS_ORIGINS."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient

from api.openapi.components import HEADERS
from auth import api_keys
from problems import UriTooLong
from security.cross_site import preflight_headers
from server.error_responses import error_response
from tests.fakes import FORM, form, part

APP = "https://app.example.com"


@pytest.mark.parametrize(
    ("method", "requested", "allowed"),
    [
        ("PUT", "", {"Access-Control-Allow-Methods": "PUT"}),
        ("P T", "a b,x-good, ,\r\nevil,ä", {"Access-Control-Allow-Headers": "x-good, evil"}),
    ],
)
def test_a_preflight_allows_tokens_only(method: str, requested: str, allowed: dict[str, str]) -> None:
    assert preflight_headers(method, requested) == {"Access-Control-Max-Age": "600", **allowed}


@pytest.mark.parametrize(("readable", "times"), [(True, 1), (False, 0)])
def test_errors_of_the_server_have_cors_headers_if_sites_are_listed(readable: bool, times: int) -> None:
    assert (
        error_response(UriTooLong(), "1", readable=readable).count(b"\r\nAccess-Control-Allow-Origin: *\r\n") == times
    )


def test_without_listed_sites_there_are_no_cors_headers(client: FlaskClient) -> None:
    response = client.get("/files", headers={"Origin": APP})

    assert "Access-Control" not in str(response.headers)
    assert "Vary" not in response.headers


class TestListedSite:
    @pytest.fixture
    def settings(self, settings: dict[str, str]) -> dict[str, str]:
        return settings | {"CORS_ORIGINS": f"{APP},http://localhost:5173", "MAX_FILE_SIZE": "8"}

    def test_it_may_upload_and_read_the_response(self, client: FlaskClient) -> None:
        headers = {"Content-Type": FORM, "Origin": APP, "Sec-Fetch-Site": "cross-site"}
        response = client.post("/normal_upload", data=form(part("file", b"x", "a.txt")), headers=headers)

        assert response.status_code == 201
        assert response.headers["Access-Control-Allow-Origin"] == APP
        assert response.headers["Vary"] == "Accept, Origin"
        assert "Access-Control-Allow-Credentials" not in response.headers

    def test_it_may_read_every_documented_header(self, client: FlaskClient) -> None:
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
    def test_it_may_read_problems(
        self, client: FlaskClient, method: str, path: str, sent: dict[str, str], status: int
    ) -> None:
        response = client.open(
            path, method=method, input_stream=io.BytesIO(b"too large"), headers={"Origin": APP, **sent}
        )

        assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (status, APP)
        assert response.mimetype == "application/problem+json"

    @pytest.mark.parametrize(
        ("method", "requested"),
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
    def test_its_preflight_is_always_allowed(self, client: FlaskClient, path: str, method: str, requested: str) -> None:
        """Without a key, and even if the request itself will be refused: only then can the page read why."""
        api_keys.create("alice", ["upload"], None)
        sent = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": requested}
        response = client.options(path, headers={"Origin": APP, **sent})

        assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (204, APP)
        assert response.headers["Access-Control-Allow-Methods"] == method
        assert response.headers["Access-Control-Allow-Headers"] == requested.replace(",", ", ")
        assert response.headers["Access-Control-Max-Age"] == "600"
        assert set(response.vary) == {"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}

    def test_options_without_a_preflight_lists_the_methods(self, client: FlaskClient) -> None:
        response = client.options("/files", headers={"Origin": APP})

        assert (response.status_code, set(response.allow)) == (200, {"GET", "HEAD", "OPTIONS"})

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", APP.upper(), f"{APP}.evil.example", f"{APP}/"])
    def test_unlisted_origins_get_no_cors_headers(self, client: FlaskClient, origin: str) -> None:
        response = client.options("/files", headers={"Origin": origin, "Access-Control-Request-Method": "GET"})

        assert "Access-Control-Allow" not in str(response.headers)
        assert "Origin" in response.vary
