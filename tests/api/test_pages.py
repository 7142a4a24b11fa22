"""HTML pages: content negotiation, the upload form and the page of a file."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import models
from api.pages import status_text
from app import create_app
from auth import api_keys
from database import engine
from problems import all_problems
from storage.base import StorageDenied
from tests.conftest import drain
from tests.fakes import FORM, form, part
from tests.harness.factories import file_value

NAVIGATION = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
"""The Accept header of Chromium and Firefox for navigation and forms."""
HTML = {"Accept": NAVIGATION}


def send(client: FlaskClient, mode: str = "normal", name: str = "a.txt", **headers: str) -> Any:
    body = form(part("file", b"some bytes", name))
    return client.post(f"/{mode}_upload", data=body, content_type=FORM, headers=headers)


def in_error(id: str, **values: Any) -> None:
    engine.execute(models.FILES.update().where(models.FILES.c.id == id).values(**values))


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_a_form_is_redirected_to_the_files_page(app: Flask, client: FlaskClient, mode: str) -> None:
    sent = send(client, mode, Accept=NAVIGATION)
    drain(app)
    page = client.get(sent.location, headers=HTML)

    assert (sent.status_code, sent.data, sent.content_type) == (303, b"", None)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "Stored and verified." in page.text
    assert len(client.get("/files").get_json()["files"]) == 1


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (NAVIGATION, True),
        ("text/html", True),
        ("text/html, application/json;q=0.9", True),
        (None, False),
        ("", False),
        ("*/*", False),  # curl, wget, fetch, XMLHttpRequest
        ("application/json", False),
        ("application/json, text/plain, */*", False),  # axios
        ("application/json, text/html", False),
        ("text/html;q=0.5, */*", False),
        ("image/png", False),
        ("text/html;q=0", False),
        (";;q=x, text", False),
    ],
)
def test_a_page_is_returned_only_if_html_is_preferred(client: FlaskClient, accept: str | None, is_page: bool) -> None:
    headers = {} if accept is None else {"Accept": accept}
    sent = send(client, **headers)
    file = client.get(sent.location, headers=headers)

    assert sent.status_code == (303 if is_page else 201)
    assert file.mimetype == ("text/html" if is_page else "application/json")
    assert ("ETag" in file.headers) is not is_page
    for answer in (sent, file):
        assert "Accept" in answer.headers["Vary"]


def test_a_repeated_form_is_redirected_to_the_same_file(client: FlaskClient) -> None:
    first, second = (send(client, Accept=NAVIGATION, **{"Idempotency-Key": "one"}) for _ in range(2))

    assert (second.status_code, second.location) == (303, first.location)
    assert second.headers["Idempotency-Replayed"] == "true"


def test_a_refused_form_is_a_problem_even_if_html_is_preferred(client: FlaskClient) -> None:
    answer = client.post("/normal_upload", data=form(), content_type=FORM, headers=HTML)

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")


def test_a_files_page_is_not_cached_and_obeys_its_content_security_policy(client: FlaskClient) -> None:
    page = client.get(send(client).location, headers=HTML)

    assert page.headers["Cache-Control"] == "no-store"
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert re.findall(r"<style|\sstyle=|<script(?! src=)|\son\w+=|javascript:", page.text) == []


def test_a_files_page_reloads_until_the_status_is_final(client: FlaskClient) -> None:
    where = send(client).location
    ended = client.get(where, headers=HTML)
    in_error(where.split("/")[-1], upload_status="PENDING", error="storage-unavailable", due_at=9e9)
    waiting = client.get(where, headers=HTML)

    assert ("http-equiv" in ended.text, ended.headers.get("Retry-After")) == (False, None)
    assert '<noscript><meta http-equiv="refresh"' in waiting.text
    assert waiting.headers["Retry-After"] == "1"
    assert "The last attempt failed and will be retried automatically." in waiting.text


@pytest.mark.parametrize(
    ("error", "slug"), [("storage-denied", "storage-denied"), ("client-disconnected", "incomplete-body")]
)
def test_the_page_of_a_failed_file_shows_the_reason(client: FlaskClient, error: str, slug: str) -> None:
    where = send(client).location
    in_error(where.split("/")[-1], upload_status="ERROR", error=error, error_detail="AccessDenied")
    page = client.get(where, headers=HTML).text

    assert all_problems()[slug].title in page
    assert "(AccessDenied)" in page
    assert f'href="/problems/{slug}"' in page
    assert "/content" not in page


def test_a_name_is_escaped_in_every_page(client: FlaskClient) -> None:
    name = "<img src=x onerror=alert(1)>.txt"
    page = client.get(send(client, name=name).location, headers=HTML).text

    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;.txt" in page


def test_a_type_that_browsers_show_has_an_open_link(client: FlaskClient) -> None:
    png = client.post("/normal_upload?name=a.png", data=b"\x89PNG\r\n\x1a\n" + bytes(40), content_type="image/png")
    image, other = (client.get(where, headers=HTML).text for where in (png.location, send(client).location))

    assert ">Open</a>" in image
    assert ">Open</a>" not in other
    assert "download>Download</a>" in other


@pytest.mark.parametrize(
    ("status", "values", "words"),
    [
        ("PENDING", {"error": None}, "Accepted. Its bytes are safe and wait to be stored."),
        ("PROCESSING", {"size": None, "stored_bytes": 0}, "Being stored."),
        ("PROCESSING", {"size": 300, "stored_bytes": 100}, "Being stored. 33 %"),
        ("COMPLETE", {"error": None}, "Stored and verified."),
        ("ERROR", {"error": StorageDenied.slug()}, "Failed."),
    ],
)
def test_a_status_has_a_text(status: str, values: dict[str, Any], words: str) -> None:
    assert status_text(file_value(status, **values)) == words


def test_there_is_an_icon(client: FlaskClient) -> None:
    icon = client.get("/favicon.ico")
    icon.close()

    assert (icon.status_code, icon.mimetype) == (200, "image/svg+xml")
    for path in ("/", "/docs", send(client).location):
        assert 'rel="icon" type="image/svg+xml" href="/favicon.ico"' in client.get(path, headers=HTML).text


class TestForm:
    def test_it_links_to_the_api_reference(self, client: FlaskClient) -> None:
        assert 'href="/docs"' in client.get("/").text

    def test_each_button_has_a_description(self, client: FlaskClient) -> None:
        page = client.get("/").text

        for mode in ("normal", "async", "celery"):
            assert re.search(rf'<button aria-describedby="{mode}" formaction="/{mode}_upload">', page)
            assert re.search(rf'id="{mode}">Answers when .+\.</p>', page)

    def test_it_carries_the_limits(self, client: FlaskClient, settings: dict[str, str]) -> None:
        assert f'data-max-bytes="{10 << 20}"' in client.get("/").text
        assert "accept=" not in client.get("/").text

        limited = create_app(settings | {"ALLOWED_TYPES": "image/*,application/pdf"}).test_client()
        assert 'accept="image/*,application/pdf"' in limited.get("/").text

    def test_without_keys_it_works_without_javascript(self, client: FlaskClient) -> None:
        page = client.get("/").text

        assert "<fieldset>" in page
        assert '<a id="files" href="/files">' in page
        assert "<noscript>" not in page

    def test_with_keys_and_without_javascript_it_is_disabled_and_shows_the_curl_command(
        self, client: FlaskClient
    ) -> None:
        api_keys.create("alice", ["upload"], None)
        page = client.get("/").text

        assert "<fieldset disabled>" in page
        assert "curl -H 'Authorization: Bearer ferry_…' -F file=@FILE http://localhost/normal_upload" in page
        assert re.search(r'<a id="files" class="script" href="/files" hidden>', page)
