"""Every request has an id, which its response and its log lines carry."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from auth import api_keys
from lifecycle import queries
from logs import record_fields
from server.request_ids import request_id
from tests.log_records import record

TOKEN = f"ferry_0123456789ab_{'a' * 43}"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.mark.parametrize("sent", ["a", "A-1_b.c", "x" * 64, "01a1f87c-8038-72c3-a4d1-740c5f09daa4"])
def test_a_valid_request_id_is_kept(sent: str) -> None:
    assert request_id(sent) == sent


@pytest.mark.parametrize("sent", [TOKEN, f"x{TOKEN}", TOKEN[1:], TOKEN[:30]])
def test_a_token_is_not_accepted_as_a_request_id(client: FlaskClient, sent: str) -> None:
    assert UUID.fullmatch(client.get("/healthz", headers={"X-Request-ID": sent}).headers["X-Request-ID"])


@pytest.mark.parametrize("sent", [None, "", "x" * 65, "a b", "a\n", "a\x1b", "ä", "<b>", "a,b"])
def test_an_invalid_request_id_is_replaced(sent: str | None) -> None:
    assert UUID.fullmatch(request_id(sent))


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/healthz", 200), ("/nothing", 404), ("/static/no", 404)])
def test_every_response_carries_its_request_id(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(path, headers={"X-Request-ID": "mine"})

    assert (answer.status_code, answer.headers["X-Request-ID"]) == (status, "mine")


def test_requests_have_different_ids(client: FlaskClient) -> None:
    ids = {client.get("/healthz").headers["X-Request-ID"] for _ in range(2)}

    assert len(ids) == 2


def test_no_line_after_a_request_has_its_id_or_its_key(client: FlaskClient) -> None:
    key = {"Authorization": f"Bearer {api_keys.create('alice', ['read'], None)}"}

    assert client.get("/files", headers=key).status_code == 200
    assert {"request_id", "owner", "key"} & set(record_fields(record("later"))) == set()


def test_a_problem_has_the_id_of_its_request(client: FlaskClient) -> None:
    answer = client.get("/nothing")

    assert answer.get_json()["request_id"] == answer.headers["X-Request-ID"]


def test_an_unexpected_error_returns_only_its_request_id(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(owner: str | None, id: str) -> None:
        raise RuntimeError("secret of the service")

    monkeypatch.setattr(queries, "get_owned", fail)
    answer = client.get("/files/01a1f87c-8038-72c3-a4d1-740c5f09daa4", headers={"X-Request-ID": "mine"})

    assert answer.get_json() == {
        "type": "/problems/internal-error",
        "title": "Internal error",
        "status": 500,
        "detail": "Internal error",
        "instance": "/files/01a1f87c-8038-72c3-a4d1-740c5f09daa4",
        "request_id": "mine",
    }
    assert "secret of the service" in caplog.text
    assert "secret" not in str(answer.headers)
