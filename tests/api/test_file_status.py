"""The status of a file: its ETag, conditional requests, Retry-After and HEAD."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from lifecycle import transitions
from models import FileRow
from tests.api.helpers import assert_problem, upload
from tests.harness.factories import LEASE, claim, complete, reload


class TestStatus:
    def test_an_unchanged_status_keeps_its_strong_etag(self, client: FlaskClient) -> None:
        id = upload(client)
        first, again = client.get(f"/files/{id}"), client.get(f"/files/{id}")

        assert first.headers["ETag"] == again.headers["ETag"]
        assert first.headers["ETag"].startswith('"')
        assert first.get_json() == again.get_json()

    @pytest.mark.parametrize("known", ["{}", "W/{}", '"other", {}', "*"])
    def test_a_matching_if_none_match_gets_304_without_a_body(self, client: FlaskClient, known: str) -> None:
        path = f"/files/{upload(client)}"
        tag = client.get(path).headers["ETag"]
        answer = client.get(path, headers={"If-None-Match": known.format(tag)})

        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)

    def test_an_if_match_of_another_state_fails(self, client: FlaskClient) -> None:
        path = f"/files/{upload(client)}"
        tag = client.get(path).headers["ETag"]

        assert_problem(client.get(path, headers={"If-Match": '"other"'}), 412, "precondition-failed")
        for same in (tag, f'"other", {tag}', "*"):
            assert client.get(path, headers={"If-Match": same}).status_code == 200

    def test_every_visible_change_changes_the_etag_and_a_heartbeat_does_not(
        self, client: FlaskClient, row: FileRow
    ) -> None:
        tags = []
        for transition in (
            lambda: None,
            lambda: claim(row),
            lambda: transitions.heartbeat(reload(row), LEASE),
            lambda: transitions.progress(reload(row), LEASE, 3, 1),
            lambda: transitions.progress(reload(row), LEASE, 3, 2),
            lambda: transitions.requeue(reload(row), "storage-unavailable", 0),
        ):
            transition()
            tags.append(client.get(f"/files/{row.id}").headers["ETag"])

        assert tags[1] == tags[2]
        assert len(set(tags)) == 5

    def test_retry_after_is_sent_until_the_file_is_complete(self, client: FlaskClient, row: FileRow) -> None:
        path = f"/files/{row.id}"
        tag = client.get(path).headers["ETag"]
        assert client.get(path).headers["Retry-After"] == "1"
        assert client.get(path, headers={"If-None-Match": tag}).headers["Retry-After"] == "1"
        row = claim(row)
        assert client.get(path).headers["Retry-After"] == "1"
        complete(row)

        assert "Retry-After" not in client.get(path).headers

    def test_head_returns_the_headers_of_get_without_a_body(self, client: FlaskClient) -> None:
        path = f"/files/{upload(client)}"
        head, get = client.head(path), client.get(path)

        assert (head.status_code, head.data) == (200, b"")
        assert [head.headers[name] for name in ("ETag", "Content-Length")] == [
            get.headers[name] for name in ("ETag", "Content-Length")
        ]
