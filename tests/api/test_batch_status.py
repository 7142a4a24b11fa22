"""`POST /files/status` returns the status of many files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

import models
from app import create_app
from auth import api_keys
from database import engine
from models import FileRow
from tests.api.helpers import UNKNOWN, assert_problem, upload


class TestBatchStatus:
    def post(self, client: FlaskClient, body: Any, **options: Any) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return client.post("/files/status", data=data, **{"content_type": "application/json"} | options)

    def test_files_are_returned_in_the_requested_order_and_unknown_ids_are_listed(self, client: FlaskClient) -> None:
        first, second = upload(client, "1"), upload(client, "2")
        odd = ["", "x", "\x00", "\ud800", "é" * 300, UNKNOWN]
        answer = self.post(client, {"ids": [second, *odd, first, second]})

        assert answer.status_code == 200
        assert [found["name"] for found in answer.get_json()["files"]] == ["2", "1"]
        assert answer.get_json()["unknown"] == odd
        assert answer.get_json()["files"][1] == client.get(f"/files/{first}").get_json()

    def test_files_of_other_owners_and_deleted_files_are_unknown(
        self, client: FlaskClient, settings: dict[str, str], row: FileRow
    ) -> None:
        gone = upload(client)
        engine.execute(models.FILES.update().where(models.FILES.c.id == gone).values(deleted_at=1.0))
        key = {"Authorization": f"Bearer {api_keys.create('bob', ['read'], None)}"}

        assert self.post(client, {"ids": [row.id, gone]}, headers=key).get_json() == {
            "files": [], "unknown": [row.id, gone]
        }  # fmt: skip
        anonymous = create_app(settings | {"ALLOW_ANONYMOUS": "1"}).test_client()
        assert self.post(anonymous, {"ids": [row.id, gone]}).get_json()["unknown"] == [gone]

    def test_a_hundred_files_take_one_statement(self, app: Flask, client: FlaskClient) -> None:
        ids = [upload(client, str(number)) for number in range(100)]
        statements: list[str] = []
        event.listen(
            models.db.engine, "before_cursor_execute", lambda *call: statements.append(call[2].split()[0]), named=False
        )

        assert len(self.post(client, {"ids": ids}).get_json()["files"]) == 100
        assert statements == ["SELECT"]

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"ids=a", b"[" * 60_000, b'{"ids":["\x00"]}', b"NaN NaN"])
    def test_a_body_that_is_not_json_is_refused(self, client: FlaskClient, body: bytes) -> None:
        assert_problem(self.post(client, body), 400, "bad-request")

    @pytest.mark.parametrize(
        "type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    )
    def test_another_content_type_than_json_is_refused(self, client: FlaskClient, type: str) -> None:
        assert_problem(self.post(client, {"ids": ["a"]}, content_type=type), 415, "unsupported-media-type")

    def test_an_invalid_body_is_refused_with_a_json_pointer(self, client: FlaskClient) -> None:
        answer = self.post(client, {"ids": ["a", 1]})

        assert_problem(answer, 422, "invalid-body")
        assert answer.get_json()["pointer"] == "/ids/1"

    @pytest.mark.parametrize("announced", [True, False])
    def test_a_body_is_not_read_beyond_64_kib(self, client: FlaskClient, announced: bool) -> None:
        body = json.dumps({"ids": ["x" * (64 << 10)]}).encode()
        environ = {} if announced else {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
        answer = self.post(client, body, environ_overrides=environ)

        assert_problem(answer, 413, "too-large")
        assert answer.get_json()["max_bytes"] == 64 << 10
        assert self.post(client, json.dumps({"ids": ["x" * 65_523]}).encode()).status_code == 200

    def test_get_looks_up_a_file_with_the_id_status(self, client: FlaskClient) -> None:
        assert_problem(client.get("/files/status"), 404, "not-found")
