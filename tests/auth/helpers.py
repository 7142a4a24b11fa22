"""Requests of the clients in these tests."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.fakes import FORM, form, part


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def upload(client: FlaskClient, headers: dict[str, str], mode: str = "normal", body: bytes = b"1234") -> TestResponse:
    return client.post(f"/{mode}_upload", data=form(part("file", body, "a.txt")), content_type=FORM, headers=headers)


def problem(response: TestResponse) -> tuple[int, Any]:
    """Status and slug."""
    return response.status_code, response.get_json()["type"].removeprefix("/problems/")
