"""Server-sent events: `GET /files/<id>/events` streams each state of a file."""

from __future__ import annotations

import time

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lifecycle import transitions
from models import FileRow
from services import current_services
from tests.api.helpers import assert_problem, upload
from tests.api.watching import apply_soon, events
from tests.harness.factories import LEASE, SHA256, claim, reload


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    """Two concurrent long polls and event streams."""
    return settings | {"WEB_THREADS": "8"}


class TestEvents:
    def test_every_change_is_sent_in_order_until_the_final_status(
        self, app: Flask, client: FlaskClient, row: FileRow
    ) -> None:
        life = [
            lambda: claim(row),
            lambda: transitions.progress(reload(row), LEASE, 3, 1),
            lambda: transitions.requeue(reload(row), "storage-unavailable", 0),
            lambda: claim(row),
            lambda: transitions.set_complete(reload(row), url="u", size=3, sha256=SHA256),
        ]

        def live() -> None:
            for transition in life:
                assert transition()
                time.sleep(0.5)

        thread = apply_soon(app, live)
        answer = client.get(f"/files/{row.id}/events")
        received = events(answer)
        answer.close()
        thread.join()

        assert [(state["status"], state["stored_bytes"]) for _, state in received] == [
            ("PENDING", 0), ("PROCESSING", 0), ("PROCESSING", 1), ("PENDING", 0), ("PROCESSING", 0), ("COMPLETE", 3)
        ]  # fmt: skip
        final = client.get(f"/files/{row.id}")
        assert (f'"{received[-1][0]}"', received[-1][1]) == (final.headers["ETag"], final.get_json())
        assert current_services().changes._subscriptions == []

    def test_its_headers_prevent_buffering_and_caching(self, client: FlaskClient, row: FileRow) -> None:
        transitions.set_error(claim(row), "storage-denied")
        headers = client.get(f"/files/{row.id}/events").headers

        assert headers["Content-Type"] == "text/event-stream"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Accel-Buffering"] == "no"

    def test_a_complete_file_is_sent_as_a_single_event(self, client: FlaskClient) -> None:
        path = upload(client)

        assert [state["status"] for _, state in events(client.get(f"/files/{path}/events"))] == ["COMPLETE"]

    def test_a_reconnect_after_the_final_event_gets_204(self, client: FlaskClient) -> None:
        path = f"/files/{upload(client)}"
        tag = client.get(path).headers["ETag"].strip('"')
        answer = client.get(f"{path}/events", headers={"Last-Event-ID": tag})

        assert (answer.status_code, answer.data) == (204, b"")

    def test_a_reconnect_gets_only_new_events(self, app: Flask, client: FlaskClient, row: FileRow) -> None:
        tag = client.get(f"/files/{row.id}").headers["ETag"].strip('"')
        thread = apply_soon(app, lambda: transitions.set_error(claim(row), "storage-denied"))
        with client.get(f"/files/{row.id}/events", headers={"Last-Event-ID": tag}) as answer:
            received = events(answer)
        thread.join()

        assert received[-1][1]["status"] == "ERROR"
        assert "PENDING" not in [state["status"] for _, state in received]

    def test_without_a_free_subscription_it_is_refused_with_retry_after(
        self, client: FlaskClient, row: FileRow
    ) -> None:
        with current_services().changes.subscription(row, "x"), current_services().changes.subscription(row, "y"):
            answer = client.get(f"/files/{row.id}/events")

        assert_problem(answer, 503, "too-many-watchers")
        assert int(answer.headers["Retry-After"]) > 0

    def test_head_takes_no_subscription(self, client: FlaskClient, row: FileRow) -> None:
        assert client.head(f"/files/{row.id}/events").headers["Content-Type"] == "text/event-stream"
        assert current_services().changes._subscriptions == []

    @pytest.mark.parametrize("read", [0, 1])
    def test_a_client_that_disconnects_frees_its_subscription(
        self, client: FlaskClient, row: FileRow, read: int
    ) -> None:
        answer = client.get(f"/files/{row.id}/events")
        assert len(current_services().changes._subscriptions) == 1
        for _ in range(read):
            next(iter(answer.response))
        answer.close()

        assert current_services().changes._subscriptions == []

    @pytest.mark.usefixtures("frozen_clock")
    def test_a_shutdown_ends_the_stream(self, client: FlaskClient, row: FileRow) -> None:
        thread = apply_soon(client.application, current_services().changes.stop)
        received = client.get(f"/files/{row.id}/events")
        thread.join()

        assert [state["status"] for _, state in events(received)] == ["PENDING"]
