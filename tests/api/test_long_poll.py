"""Long polling: `GET /files/<id>?wait=N` returns at the next change."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import ETags

from api.files import has_changed
from lifecycle import queries, transitions
from models import FileRow
from services import current_services
from tests.api.helpers import assert_problem, upload
from tests.api.watching import apply_soon, timed
from tests.harness.factories import LEASE, claim, file_value


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    """Two concurrent long polls and event streams."""
    return settings | {"WEB_THREADS": "8"}


@pytest.mark.parametrize(
    ("before", "now", "known", "ends"),
    [
        ("PENDING", "PENDING", "", False),
        ("PENDING", "PROCESSING", "", True),
        ("PROCESSING", "PENDING", "", True),
        ("PENDING", None, "", True),
        ("COMPLETE", "COMPLETE", "", True),
        ("ERROR", "ERROR", "now", True),
        ("PENDING", "PENDING", "now", False),
        ("PENDING", "PENDING", "weak", False),
        ("PENDING", "PENDING", "other", True),
        ("PENDING", "PROCESSING", "*", False),
    ],
)
def test_a_wait_ends_on_a_new_status_or_etag(before: str, now: str | None, known: str, ends: bool) -> None:
    tags = {"": ETags(), "*": ETags(star_tag=True), "weak": ETags(weak_etags=["now"])}.get(known, ETags([known]))
    row = file_value(now) if now else None

    assert has_changed(row, "now", file_value(before), tags) == ends


class TestWait:
    @pytest.mark.parametrize("text", ["0", "61", "-1", "1.5", "", "x", "100", "٣"])
    def test_an_invalid_wait_is_refused(self, client: FlaskClient, row: FileRow, text: str) -> None:
        answer = client.get(f"/files/{row.id}?wait={text}")

        assert_problem(answer, 400, "invalid-parameter")
        assert answer.get_json()["parameter"] == "wait"

    @pytest.mark.usefixtures("frozen_clock")
    def test_it_ends_as_soon_as_the_status_changes(self, app: Flask, client: FlaskClient, row: FileRow) -> None:
        thread = apply_soon(app, lambda: claim(row))
        answer = client.get(f"/files/{row.id}?wait=20")
        thread.join()

        assert answer.get_json()["status"] == "PROCESSING"

    def test_progress_does_not_end_it(self, app: Flask, client: FlaskClient, row: FileRow) -> None:
        row = claim(row)
        thread = apply_soon(app, lambda: transitions.progress(row, LEASE, 3, 2))
        answer, seconds = timed(lambda: client.get(f"/files/{row.id}?wait=1"))
        thread.join()

        assert answer.get_json()["stored_bytes"] == 2
        assert seconds >= 1

    @pytest.mark.usefixtures("frozen_clock")
    def test_progress_ends_a_wait_with_an_etag(self, app: Flask, client: FlaskClient, row: FileRow) -> None:
        row = claim(row)
        tag = client.get(f"/files/{row.id}").headers["ETag"]
        thread = apply_soon(app, lambda: transitions.progress(row, LEASE, 3, 2))
        answer = client.get(f"/files/{row.id}?wait=20", headers={"If-None-Match": tag})
        thread.join()

        assert (answer.status_code, answer.get_json()["stored_bytes"]) == (200, 2)

    def test_a_wait_without_a_change_ends_with_304(self, client: FlaskClient, row: FileRow) -> None:
        tag = client.get(f"/files/{row.id}").headers["ETag"]
        answer, seconds = timed(lambda: client.get(f"/files/{row.id}?wait=1", headers={"If-None-Match": tag}))

        assert answer.status_code == 304
        assert seconds >= 1

    @pytest.mark.usefixtures("frozen_clock")
    @pytest.mark.parametrize("known", [{}, {"If-None-Match": '"old"'}])
    def test_a_final_status_is_returned_at_once(self, client: FlaskClient, known: dict[str, str]) -> None:
        answer = client.get(f"/files/{upload(client)}?wait=60", headers=known)

        assert answer.status_code == 200

    def test_a_file_deleted_during_the_wait_is_not_found(
        self, app: Flask, client: FlaskClient, row: FileRow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(queries, "get_many", lambda ids: {})

        assert_problem(client.get(f"/files/{row.id}?wait=20"), 404, "not-found")

    @pytest.mark.usefixtures("frozen_clock")
    def test_without_a_free_subscription_it_returns_at_once(self, client: FlaskClient, row: FileRow) -> None:
        with current_services().changes.subscription(row, "x"), current_services().changes.subscription(row, "y"):
            answer = client.get(f"/files/{row.id}?wait=20")

        assert (answer.status_code, answer.get_json()["status"]) == (200, "PENDING")

    def test_its_subscription_is_freed_afterwards(self, client: FlaskClient, row: FileRow) -> None:
        assert client.get(f"/files/{row.id}?wait=1").status_code == 200
        assert current_services().changes._subscriptions == []
