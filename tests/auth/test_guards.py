"""Guards over HTTP: every view has one, keys do what their scopes allow, owners see their own files."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from auth import api_keys
from tests.auth.helpers import bearer, problem, upload
from tests.conftest import drain
from tests.fakes import services_of


def test_every_view_has_a_guard(app: Flask) -> None:
    """A view without one would be open by oversight."""
    unguarded = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and not hasattr(app.view_functions[rule.endpoint], "access")
    }

    assert unguarded == set()


def test_exactly_these_views_are_public(app: Flask) -> None:
    views = app.view_functions.items()
    assert {name for name, view in views if getattr(view, "access", "") is None} == {
        "ferry.index", "ferry.healthz", "ferry.ready", "ferry.problem_page",
        "api_docs.openapi_json", "api_docs.docs",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/problems/not-found", "/healthz", "/healthz/ready"])
def test_public_views_answer_every_client_alike(client: FlaskClient, alice: dict[str, str], path: str) -> None:
    anonymous = client.get(path)

    assert (anonymous.status_code, anonymous.data) == (200, client.get(path, headers=alice).data)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer ferry_0123456789ab_" + "a" * 43, "Bearer " + "a" * 4000],
)
def test_an_invalid_key_is_refused_also_where_no_key_is_needed(client: FlaskClient, authorization: str) -> None:
    response = client.get("/files", headers={"Authorization": authorization})

    assert problem(response) == (401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="ferry"'


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [("upload", "POST", "/normal_upload"), ("upload", "POST", "/async_upload"), ("upload", "POST", "/celery_upload"),
     ("upload", "POST", "/files/x/retry"), ("read", "GET", "/files"), ("read", "GET", "/files/x"),
     ("read", "GET", "/files/x/content"), ("read", "GET", "/files/x/link"), ("read", "GET", "/files.zip?ids=x"),
     ("read", "GET", "/files/x/events"), ("read", "POST", "/files/status")],
)  # fmt: skip
def test_a_key_is_limited_to_its_scopes(app: Flask, scope: str, method: str, path: str) -> None:
    client = app.test_client()
    other_scopes = [other for other in api_keys.SCOPES if other != scope]

    refused = client.open(path, method=method, headers=bearer(api_keys.create("a", other_scopes, None)))
    assert (*problem(refused), refused.get_json()["scope"]) == (403, "scope-missing", scope)
    allowed = client.open(path, method=method, headers=bearer(api_keys.create("a", [scope], None)))
    assert allowed.status_code not in (401, 403)


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_another_owners_file_looks_like_an_unknown_one(
    client: FlaskClient, alice: dict[str, str], bob: dict[str, str], mode: str
) -> None:
    mine = upload(client, alice, mode).headers["Location"]
    drain(client.application)
    unknown = mine[:-12] + "0" * 12

    assert client.get(mine, headers=alice).get_json()["status"] == "COMPLETE"
    for request in (
        client.get,
        lambda path, headers: client.get(f"{path}/events", headers=headers),
        lambda path, headers: client.post(f"{path}/retry", headers=headers),
    ):
        responses = [request(path, headers=bob) for path in (mine, unknown)]
        seen = [
            (
                response.status_code,
                response.get_json() | {"instance": "", "request_id": ""},
                response.headers["Content-Type"],
            )
            for response in responses
        ]
        assert seen[0] == seen[1]
    assert client.get("/files", headers=bob).get_json()["files"] == []
    assert len(client.get("/files", headers=alice).get_json()["files"]) == 1


def test_all_keys_of_an_owner_see_the_same_files(client: FlaskClient, alice: dict[str, str]) -> None:
    other = bearer(api_keys.create("alice", ["read"], None))

    assert client.get(upload(client, alice).headers["Location"], headers=other).status_code == 200


def test_files_from_before_the_first_key_have_no_owner(client: FlaskClient) -> None:
    before = upload(client, {}).headers["Location"]
    key = bearer(api_keys.create("alice", api_keys.SCOPES, None))

    assert client.get(before, headers=key).status_code == 404


def test_idempotency_keys_are_separate_for_each_owner(
    client: FlaskClient, alice: dict[str, str], bob: dict[str, str]
) -> None:
    key = {"Idempotency-Key": "same"}
    first, again, other = (upload(client, owner | key).get_json()["id"] for owner in (alice, alice, bob))

    assert first == again
    assert first != other


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
@pytest.mark.parametrize("quota", [{"quota_bytes": 7}, {"quota_files": 1}])
def test_an_exceeded_quota_is_reported_with_its_numbers_and_stores_nothing(
    client: FlaskClient, alice: dict[str, str], mode: str, quota: dict[str, int]
) -> None:
    api_keys.set_quotas("alice", **quota)
    assert upload(client, alice, mode).status_code in (201, 202)
    drain(client.application)

    response = upload(client, alice, mode)
    assert problem(response) == (403, "quota-exceeded")
    assert {name: response.get_json()[name] for name in ("used_bytes", "used_files", *quota)} == {
        "used_bytes": 4, "used_files": 1, **quota
    }  # fmt: skip
    assert list(services_of(client.application).spool.files()) == []
    assert {file["status"] for file in client.get("/files", headers=alice).get_json()["files"]} <= {"COMPLETE", "ERROR"}


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_a_file_of_exactly_the_remaining_quota_is_accepted(
    client: FlaskClient, alice: dict[str, str], mode: str
) -> None:
    api_keys.set_quotas("alice", quota_bytes=8)
    for _ in range(2):
        assert upload(client, alice, mode).status_code in (201, 202)
        drain(client.application)

    assert upload(client, alice, mode, b"").status_code in (201, 202)
    assert problem(upload(client, alice, mode, b"1")) == (403, "quota-exceeded")
