"""Presigned links to a stored file, as JSON and as a redirect."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from lifecycle import queries
from tests.api.downloads import BODY, store
from tests.api.helpers import assert_problem


def test_a_link_and_a_redirect_lead_to_the_storage(client: FlaskClient) -> None:
    id = store(client)
    row = queries.get(id)
    assert row is not None
    answer = client.get(f"/files/{id}/link?expires=60").get_json()
    redirect = client.get(f"/files/{id}/content?redirect=1")

    assert answer["url"] == redirect.headers["Location"] == f"memory:{row.key}"
    assert answer["expires_at"].endswith("Z")
    assert (redirect.status_code, redirect.data) == (302, b"")
    assert redirect.headers["Cache-Control"] == "private, no-store"
    assert client.get(f"/files/{id}/link").headers["Cache-Control"] == "no-store"


def test_head_is_not_redirected_to_a_link_signed_for_get(client: FlaskClient) -> None:
    path = f"/files/{store(client)}/content"
    direct, redirected = (client.head(path + query) for query in ("", "?redirect=1"))
    same = {name: redirected.headers[name] for name in dict(redirected.headers) if name != "X-Request-ID"}

    assert (redirected.status_code, same) == (200, {name: direct.headers[name] for name in same})
    assert redirected.headers["Content-Length"] == str(len(BODY))


@pytest.mark.parametrize("expires", ["0", "901", "-1", "abc", "", "1e2", "9999999999", "٣"])
def test_a_link_with_an_invalid_expiry_is_refused(client: FlaskClient, expires: str) -> None:
    answer = client.get(f"/files/{store(client)}/link?expires={expires}")

    assert_problem(answer, 400, "invalid-parameter")
    assert answer.get_json()["parameter"] == "expires"
