"""Rate limits over HTTP: by owner, by address, and what counts together."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from auth import api_keys
from auth.guards import Scope
from tests.auth.helpers import bearer, problem, upload


@pytest.mark.parametrize(("scope", "path"), [("upload", "/normal_upload"), ("read", "/files")])
def test_too_many_requests_are_answered_with_retry_after(
    settings: dict[str, str], alice: dict[str, str], bob: dict[str, str], scope: Scope, path: str
) -> None:
    limit = {"upload": "UPLOAD_RATE_LIMIT", "read": "REQUEST_RATE_LIMIT"}[scope]
    client = create_app(settings | {limit: "2/day"}).test_client()
    send = {"upload": lambda owner: upload(client, owner), "read": lambda owner: client.get("/files", headers=owner)}[
        scope
    ]

    assert [send(alice).status_code < 300 for _ in range(3)] == [True, True, False]
    response = send(alice)
    assert problem(response) == (429, "too-many-requests")
    assert 0 < int(response.headers["Retry-After"]) <= 86400
    assert send(bob).status_code < 300


def test_reads_and_deletions_share_one_rate_limit(app: Flask, settings: dict[str, str]) -> None:
    """With an owner that no other test uses: Redis counts for all tests."""
    dora = bearer(api_keys.create("dora", api_keys.SCOPES, None))
    client = create_app(settings | {"REQUEST_RATE_LIMIT": "2/day"}).test_client()

    assert client.get("/files", headers=dora).status_code == 200
    assert client.delete("/files/x", headers=dora).status_code == 404
    for send in (lambda: client.get("/files", headers=dora), lambda: client.delete("/files/x", headers=dora)):
        assert problem(send()) == (429, "too-many-requests")
    assert upload(client, dora).status_code == 201


def refused_request(client: FlaskClient, address: str, **headers: str) -> TestResponse:
    return client.get("/files", headers=headers, environ_overrides={"REMOTE_ADDR": address})


UNKNOWN_KEY = "Bearer ferry_0123456789ab_" + "a" * 43


@pytest.mark.parametrize(
    ("number", "headers"), [(1, {}), (2, {"Authorization": UNKNOWN_KEY}), (3, {"Authorization": "Basic YTpi"})]
)
def test_refused_requests_are_counted_by_address_and_block_no_valid_key(
    app: Flask, settings: dict[str, str], number: int, headers: dict[str, str]
) -> None:
    good = bearer(api_keys.create(f"erin-{number}", ["read"], None))
    client = create_app(settings | {"REQUEST_RATE_LIMIT": "2/day"}).test_client()
    address, other_address = f"198.51.100.{number}", f"203.0.113.{number}"

    problems = [
        problem(refused_request(client, sender, **headers))
        for sender in (address, f"::ffff:{address}", address, other_address)
    ]
    assert problems == [(401, "unauthorized"), (401, "unauthorized"), (429, "too-many-requests"), (401, "unauthorized")]
    assert 0 < int(refused_request(client, address, **headers).headers["Retry-After"]) <= 86400
    assert client.get("/files", headers=good, environ_overrides={"REMOTE_ADDR": address}).status_code == 200
    assert client.get("/healthz", environ_overrides={"REMOTE_ADDR": address}).status_code == 200
