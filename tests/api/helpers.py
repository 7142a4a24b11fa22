"""An upload, and the check that a response is a problem."""

from __future__ import annotations

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.fakes import FORM, form, part

UNKNOWN = "01a1f879-1306-720a-b077-d2a2b2fc6e4b"


def upload(client: FlaskClient, name: str = "a.txt") -> str:
    answer = client.post("/normal_upload", data=form(part("file", b"x", name)), content_type=FORM)
    return answer.get_json()["id"]  # type: ignore[no-any-return]


def assert_problem(answer: TestResponse, status: int, slug: str) -> None:
    body = answer.get_json()
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert (body["type"], body["status"]) == (f"/problems/{slug}", status)
    assert body["title"]
    assert body["detail"]
    assert body["instance"].startswith("/")
