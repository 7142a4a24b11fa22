"""Views: the page, lists of files, health, and a problem for every invalid request."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

import models
from app import create_app
from lifecycle import queries
from problems import all_problems
from tests.api.helpers import UNKNOWN, assert_problem, upload
from tests.conftest import drain
from tests.fakes import FORM, form, part


def test_the_page_has_a_key_field_if_a_key_is_required(client: FlaskClient, settings: dict[str, str]) -> None:
    assert 'id="key"' not in client.get("/").text

    page = create_app(settings | {"HOST": "192.0.2.7"}).test_client().get("/").text
    assert 'type="password" id="key"' in page
    assert "ferry.js" in page


def test_the_page_has_a_form_for_each_mode(client: FlaskClient) -> None:
    page = client.get("/").text

    assert 'enctype="multipart/form-data"' in page
    assert all(f'action="/{mode}_upload"' in page for mode in ("normal", "async", "celery"))
    assert 'name="file"' in page


@pytest.mark.parametrize(
    "id",
    [UNKNOWN, "abc", "-1", "9223372036854775808", "%00", "1%20OR%201=1", "x" * 5000, UNKNOWN.upper(), "..", "é"],
)
def test_an_unknown_or_malformed_id_is_not_found(client: FlaskClient, id: str) -> None:
    assert_problem(client.get(f"/files/{id}"), 404, "not-found")


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@pytest.mark.parametrize("path", ["/files//x", "/files/x//content", "/static//ferry.js", "/files/x/", ""])
def test_a_path_with_extra_slashes_is_not_found_and_not_redirected(client: FlaskClient, method: str, path: str) -> None:
    assert_problem(client.open(method=method, environ_overrides={"PATH_INFO": path}), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("GET", "/normal_upload", "POST"), ("DELETE", "/files", "GET"), ("TRACE", "/", "GET"), ("PUT", "/healthz", "GET")],
)
def test_a_wrong_method_is_refused_with_the_allowed_ones(
    client: FlaskClient, method: str, path: str, allow: str
) -> None:
    answer = client.open(path, method=method)

    assert_problem(answer, 405, "method-not-allowed")
    assert allow in answer.headers["Allow"]


def test_an_unknown_path_is_not_found(client: FlaskClient) -> None:
    assert_problem(client.get("/nothing/here"), 404, "not-found")
    assert_problem(client.get("/problems/unheard-of"), 404, "not-found")


def test_a_cursor_continues_the_list_of_files(client: FlaskClient) -> None:
    ids = [upload(client) for _ in range(5)][::-1]

    seen, cursor = [], ""
    for _ in range(3):
        page = client.get(f"/files?limit=2{cursor}").get_json()
        seen += [file["id"] for file in page["files"]]
        cursor = f"&cursor={page['next']}"
        upload(client)

    assert seen == ids
    assert page["next"] is None


def test_files_can_be_filtered_by_status(client: FlaskClient) -> None:
    id = upload(client)

    assert [file["id"] for file in client.get("/files?status=COMPLETE").get_json()["files"]] == [id]
    assert client.get("/files?status=ERROR").get_json() == {"files": [], "next": None}


@pytest.mark.parametrize("query", [f"limit={text}" for text in ("0", "-1", "101", "abc", "1e1", "1000000000", "")])
def test_an_invalid_limit_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/files?{query}")

    assert_problem(answer, 400, "invalid-parameter")
    assert answer.get_json()["parameter"] == "limit"


@pytest.mark.parametrize(
    "query", ["cursor=", "cursor=abc", "cursor=1%27--", "status=", "status=DONE", "status=pending", "prefix=%00"]
)
def test_an_invalid_parameter_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/files?{query}")

    assert_problem(answer, 400, "invalid-parameter")
    assert answer.get_json()["parameter"] == query.split("=")[0]


def test_times_are_rfc_3339_in_utc(client: FlaskClient) -> None:
    file = client.get(f"/files/{upload(client)}").get_json()

    assert file["created_at"].endswith("Z")
    assert file["created_at"] <= file["updated_at"]


def test_health_and_readiness_are_separate(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/healthz").get_json() == {"status": "ok"}
    nothing = {"waiting": 0, "oldest_seconds": 0}
    assert client.get("/healthz/ready").get_json() == {"status": "ready", "celery": nothing}

    monkeypatch.setattr("routes.ping", unavailable)
    assert client.get("/healthz").status_code == 200
    assert_problem(client.get("/healthz/ready"), 503, "database-unavailable")


def unavailable(*_: object) -> None:
    raise OperationalError("SELECT secret", {}, Exception("password"))


def test_an_unavailable_database_is_reported_with_retry_after(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "get_owned", unavailable)
    answer = client.get(f"/files/{UNKNOWN}")

    assert_problem(answer, 503, "database-unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert "secret" not in answer.text
    assert "password" not in answer.text


def test_an_unexpected_error_returns_a_fixed_text(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(owner: str | None, id: str) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(queries, "get_owned", defect)
    answer = client.get(f"/files/{UNKNOWN}")

    assert_problem(answer, 500, "internal-error")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("body", "content_type", "status", "slug"),
    [
        (form(part("other", b"x")), FORM, 400, "missing-file"),
        (form(part("file", b"x")), FORM, 400, "missing-filename"),
        (form(part("file", b"x", "a"), part("file", b"y", "b")), FORM, 400, "too-many-files"),
        (form(part("file", b"x", "n" * 300)), FORM, 400, "filename-too-long"),
        (b"no form", FORM, 400, "malformed-multipart"),
        (b"{}", "application/json", 400, "missing-filename"),
        (b"x", "application/pdf", 400, "missing-filename"),
    ],
)
@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_an_invalid_upload_is_refused_with_its_reason(
    client: FlaskClient, mode: str, body: bytes, content_type: str, status: int, slug: str
) -> None:
    assert_problem(client.post(f"/{mode}_upload", data=body, content_type=content_type), status, slug)


@pytest.mark.parametrize("slug", list(all_problems()))
def test_the_type_of_a_problem_links_to_its_explanation(client: FlaskClient, slug: str) -> None:
    page = client.get(f"/problems/{slug}")

    assert (page.status_code, page.mimetype) == (200, "text/plain")
    assert page.text.startswith(f"{all_problems()[slug].status} ")
    assert len(page.text) > 60


def test_a_status_takes_one_statement(app: Flask, client: FlaskClient) -> None:
    id = upload(client)
    statements: list[str] = []
    event.listen(
        models.db.engine, "before_cursor_execute", lambda *call: statements.append(call[2].split()[0]), named=False
    )
    client.get(f"/files/{id}")

    assert statements == ["SELECT"]


@pytest.mark.parametrize(("mode", "commits"), [("normal", 2), ("async", 3), ("celery", 3)])
def test_an_upload_takes_two_commits_or_three_in_the_background(
    app: Flask, client: FlaskClient, mode: str, commits: int
) -> None:
    """normal: claimed, complete. The others: pending, claimed, complete."""
    seen: list[str] = []
    event.listen(models.db.engine, "before_cursor_execute", lambda *call: seen.append(call[2].split()[0]), named=False)
    client.post(f"/{mode}_upload", data=form(part("file", b"x", "a")), content_type=FORM)
    drain(app)

    assert len([word for word in seen if word in ("INSERT", "UPDATE")]) == commits
    assert set(seen) <= {"INSERT", "UPDATE", "SELECT"}, "each statement is its own commit"
