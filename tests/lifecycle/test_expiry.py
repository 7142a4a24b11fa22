"""Expiry: a file with a TTL is deleted once it has passed."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app import create_app
from lifecycle import queries
from tests.fakes import FORM, form, part
from tests.harness.factories import pending_file
from tests.lifecycle.deletion_helpers import remaining, sweep, upload


def test_a_file_expires_after_its_ttl(client: FlaskClient) -> None:
    path = upload(client, query="?expires_in=3600")
    soon = client.get(path).get_json()
    assert soon["expires_at"] > soon["created_at"]
    assert sweep().counts["expired"] == 0

    row = pending_file(expires_in=-5)
    report = sweep()
    assert (report.counts["expired"], queries.get(row.id)) == (1, None)
    sweep()
    assert client.get(path).status_code == 200


def test_without_a_ttl_a_file_stays(client: FlaskClient) -> None:
    assert client.get(upload(client)).get_json()["expires_at"] is None


def test_the_default_ttl_is_a_setting(settings: dict[str, str]) -> None:
    client = create_app(settings | {"DEFAULT_TTL": "60"}).test_client()

    assert client.get(upload(client)).get_json()["expires_at"] is not None


@pytest.mark.parametrize("ttl", ["0", "-1", "1.5", "soon", "315360001", "9" * 20, ""])
def test_an_invalid_ttl_is_refused_and_stores_nothing(client: FlaskClient, ttl: str) -> None:
    data = form(part("file", b"1", "a"))
    answer = client.post(f"/normal_upload?expires_in={ttl}", data=data, content_type=FORM)

    assert (answer.status_code, answer.get_json()["parameter"]) == (400, "expires_in")
    assert remaining() == (0, 0, 0)
