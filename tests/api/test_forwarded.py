"""Headers of counted proxies: the prefix of paths, the client's address and the scheme."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.forwarded import Forwarded, forwarded_prefix
from app import create_app
from tests.fakes import FORM, form, part

FORGED = (
    "//evil.example", "///evil.example", "https://evil.example", "javascript:alert(1)", "evil.example", "ferry",
    "/\\evil.example", "/ferry//evil.example", "/..", "/ferry/../..", "/./a", "/ferry?x=", "/ferry#", "/a b",
    "/%2f%2fevil.example", '/"><script>', "/fe\trry", "/f\xe9rry", "/ferry\x00", "/" + "a" * 600, "/a" * 30,
)  # fmt: skip


@pytest.mark.parametrize(
    ("written", "hops", "prefix"),
    [
        ("/ferry", 1, "/ferry"),
        ("/ferry/", 1, "/ferry"),
        (" /tools/ferry-2_x.y~z ", 1, "/tools/ferry-2_x.y~z"),
        ("/.well-known/...", 1, "/.well-known/..."),
        ("", 1, ""),
        ("/", 1, ""),
        ("/evil, /ferry", 1, "/ferry"),
        ("/outer, /inner", 2, "/outer/inner"),
        ("/evil, /outer/, /inner", 2, "/outer/inner"),
        ("/, /inner", 2, "/inner"),
        ("/inner", 2, "/inner"),  # One of two proxies removes nothing and writes nothing.
        ("//evil.example, /inner", 2, ""),
    ],
)
def test_the_prefix_is_read_from_the_counted_proxies(written: str, hops: int, prefix: str) -> None:
    assert forwarded_prefix(written, hops) == prefix


@pytest.mark.parametrize("written", FORGED)
def test_a_malformed_prefix_is_ignored(written: str) -> None:
    assert forwarded_prefix(written, 1) == ""


def behind(settings: dict[str, str], hops: str = "1", **more: str) -> FlaskClient:
    return create_app(settings | {"FORWARDED_HOPS": hops, "ALLOW_ANONYMOUS": "1"} | more).test_client()


def upload(client: FlaskClient, headers: dict[str, str], status: int = 201) -> Any:
    data = form(part("file", b"x", "a.txt"))
    answer = client.post("/normal_upload", data=data, headers={"Content-Type": FORM, **headers})
    assert answer.status_code == status
    return answer


def targets(client: FlaskClient, headers: dict[str, str], *paths: str) -> set[str]:
    """All addresses on this site that the pages load, link to or send forms to."""
    headers = {"Accept": "text/html", **headers}
    pages = "".join(client.get(path, headers=headers).text for path in ("/", "/docs", *paths))
    return {found for found in re.findall(r'(?:href|src|action|formaction)="([^"]*)"', pages) if found[:1] != "#"}


def test_all_links_are_below_the_prefix(settings: dict[str, str]) -> None:
    client, headers = behind(settings), {"X-Forwarded-Prefix": "/ferry"}
    answer = upload(client, headers)
    id = answer.get_json()["id"]

    assert answer.headers["Location"] == f"/ferry/files/{id}"
    assert answer.get_json()["links"] == {
        "self": f"/ferry/files/{id}",
        "content": f"/ferry/files/{id}/content",
        "events": f"/ferry/files/{id}/events",
    }
    found = targets(client, headers, f"/files/{id}")
    assert {"/ferry/", "/ferry/normal_upload", "/ferry/openapi.json", f"/ferry/files/{id}/content"} <= found
    assert {target for target in found if not target.startswith("/ferry/")} == set()
    assert client.get("/openapi.json", headers=headers).get_json()["servers"] == [{"url": "/ferry"}]
    assert "http://localhost/ferry/normal_upload" in client.get("/docs", headers=headers).text


def test_a_problem_links_below_the_prefix(settings: dict[str, str]) -> None:
    problem = behind(settings).get("/nothing", headers={"X-Forwarded-Prefix": "/ferry"}).get_json()

    assert (problem["type"], problem["instance"]) == ("/ferry/problems/not-found", "/ferry/nothing")


@pytest.mark.parametrize("written", [value for value in FORGED if "\x00" not in value])
def test_a_malformed_prefix_changes_no_link(settings: dict[str, str], written: str) -> None:
    client, headers = behind(settings), {"X-Forwarded-Prefix": written}

    assert upload(client, headers).headers["Location"].startswith("/files/")
    assert "/normal_upload" in targets(client, headers)


def test_a_prefix_from_a_client_is_ignored_without_a_counted_proxy(settings: dict[str, str]) -> None:
    answer = upload(behind(settings, "0"), {"X-Forwarded-Prefix": "/ferry"})

    assert answer.headers["Location"].startswith("/files/")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ('"[2001:db8::1]:443"', "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("evil, 2001:db8::1", "2001:db8::1"),
        ("unknown", "unknown"),
        ("_hidden", "unknown"),
        ("<script>", "unknown"),
        ("", "127.0.0.1"),
    ],
)
def test_the_clients_address_is_normalised(written: str, shown: str) -> None:
    """Code and log read REMOTE_ADDR."""
    environ = {"REMOTE_ADDR": "::ffff:127.0.0.1", "HTTP_X_FORWARDED_FOR": written, "wsgi.url_scheme": "http"}
    Forwarded(lambda *_: [], 1)(environ, lambda *_: lambda _: None)  # type: ignore[arg-type, return-value]

    assert environ["REMOTE_ADDR"] == shown


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("198.51.100.1", "198.51.100.2", 200),
        ("::ffff:198.51.100.1", "::ffff:203.0.113.9", 200),
        ("198.51.100.1", "::ffff:198.51.100.1", 429),
        ("198.51.100.1", "198.51.100.1:4711", 429),
        ("2001:db8::1", '"[2001:db8::ffff]:443"', 429),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", 200),
        ("unknown", "_hidden", 429),
        ("unknown", "198.51.100.1", 200),
    ],
)
def test_a_rate_limit_counts_all_spellings_of_an_address_together(
    settings: dict[str, str], first: str, second: str, status: int
) -> None:
    client = behind(settings, REQUEST_RATE_LIMIT="2/minute", CELERY_QUEUE=f"ferry-{uuid.uuid4().hex}")
    asked = [client.get("/files", headers={"X-Forwarded-For": each}).status_code for each in (first, first, second)]

    assert asked == [200, 200, status]


@pytest.mark.parametrize(
    ("written", "secure"), [("https", True), ("HTTPS", True), ("http", False), ("javascript", False)]
)
def test_a_scheme_is_http_or_https(settings: dict[str, str], written: str, secure: bool) -> None:
    answer = behind(settings).get("/docs", headers={"X-Forwarded-Proto": written})

    assert ("Strict-Transport-Security" in answer.headers) is secure
    assert f"curl -F file=@README.md http{'s' if secure else ''}://localhost/" in answer.text


@pytest.mark.parametrize(("written", "secure"), [("https", False), ("https, http", True), ("https, http, http", False)])
def test_a_header_counts_only_with_a_value_of_each_proxy(settings: dict[str, str], written: str, secure: bool) -> None:
    """With two proxies the inner one appends a value: a single value may be the client's."""
    answer = behind(settings, hops="2").get("/docs", headers={"X-Forwarded-Proto": written})

    assert ("Strict-Transport-Security" in answer.headers) is secure
