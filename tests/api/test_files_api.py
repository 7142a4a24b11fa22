"""The doors to what has become of files: tags, waits, events, many at once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.datastructures import ETags
from werkzeug.test import TestResponse

import file
import models
from api.files import has_changed
from app import create_app
from auth import api_keys
from database import engine
from lifecycle import queries, transitions
from models import File, UploadStatus
from services import current_services
from tests.api.test_endpoints import UNKNOWN, assert_problem, upload

LEASE = 30.0
BOB = "bob"


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return settings | {"WEB_THREADS": "8"}


@pytest.fixture
def row(app: Flask) -> File:
    """A file that waits."""
    row = file.new_file("a.txt", "text/plain", "async")
    row.size, row.sha256 = 3, "0" * 64
    transitions.insert(row, LEASE)
    return row


def soon(app: Flask, move: Callable[[], object]) -> threading.Thread:
    """Make a move while the test waits for it."""

    def run() -> None:
        time.sleep(0.3)
        with app.app_context():
            move()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture
def frozen_clock(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait ends by its time: a test that returns was woken by a change, or did not wait."""
    monkeypatch.setattr(current_services().changes, "_clock", lambda: 0.0)


def timed(ask: Callable[[], TestResponse]) -> tuple[TestResponse, float]:
    began = time.monotonic()
    return ask(), time.monotonic() - began


def events(answer: TestResponse) -> list[tuple[str, dict[str, Any]]]:
    """The id and the data of each event; comments are left out."""
    found = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            assert fields["event"] == "file"
            found.append((fields["id"], json.loads(fields["data"])))
    return found


class TestTags:
    def test_an_answer_has_a_strong_tag_that_holds_as_long_as_it_does(self, client: FlaskClient) -> None:
        id = upload(client)
        first, again = client.get(f"/files/{id}"), client.get(f"/files/{id}")

        assert first.headers["ETag"] == again.headers["ETag"]
        assert first.headers["ETag"].startswith('"')
        assert first.get_json() == again.get_json()

    @pytest.mark.parametrize("known", ["{}", "W/{}", '"other", {}', "*"])
    def test_who_has_it_already_gets_304_and_nothing_more(self, client: FlaskClient, known: str) -> None:
        path = f"/files/{upload(client)}"
        tag = client.get(path).headers["ETag"]
        answer = client.get(path, headers={"If-None-Match": known.format(tag)})

        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)

    def test_who_insists_on_another_state_is_refused(self, client: FlaskClient) -> None:
        path = f"/files/{upload(client)}"
        tag = client.get(path).headers["ETag"]

        assert_problem(client.get(path, headers={"If-Match": '"other"'}), 412, "precondition-failed")
        for same in (tag, f'"other", {tag}', "*"):
            assert client.get(path, headers={"If-Match": same}).status_code == 200

    def test_each_change_that_is_seen_changes_the_tag_and_a_heartbeat_does_not(
        self, client: FlaskClient, row: File
    ) -> None:
        tags = []
        for move in (
            lambda: None,
            lambda: transitions.claim(row, LEASE),
            lambda: transitions.heartbeat(row, LEASE),
            lambda: transitions.progress(row, LEASE, 3, 1),
            lambda: transitions.progress(row, LEASE, 3, 2),
            lambda: transitions.requeue(row, "storage-unavailable", 0),
        ):
            move()
            tags.append(client.get(f"/files/{row.id}").headers["ETag"])

        assert tags[1] == tags[2]
        assert len(set(tags)) == 5

    def test_who_may_come_back_is_told_when_as_long_as_it_makes_sense(self, client: FlaskClient, row: File) -> None:
        path = f"/files/{row.id}"
        tag = client.get(path).headers["ETag"]
        assert client.get(path).headers["Retry-After"] == "1"
        assert client.get(path, headers={"If-None-Match": tag}).headers["Retry-After"] == "1"
        transitions.claim(row, LEASE)
        assert client.get(path).headers["Retry-After"] == "1"
        transitions.complete(row, url="u", size=3, sha256="0" * 64)

        assert "Retry-After" not in client.get(path).headers

    def test_head_tells_the_same_without_a_body(self, client: FlaskClient) -> None:
        path = f"/files/{upload(client)}"
        head, get = client.head(path), client.get(path)

        assert (head.status_code, head.data) == (200, b"")
        assert [head.headers[name] for name in ("ETag", "Content-Length")] == [
            get.headers[name] for name in ("ETag", "Content-Length")
        ]


@pytest.mark.parametrize(
    ("before", "now", "known", "news"),
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
def test_what_ends_a_wait(before: str, now: str | None, known: str, news: bool) -> None:
    tags = {"": ETags(), "*": ETags(star_tag=True), "weak": ETags(weak_etags=["now"])}.get(known, ETags([known]))
    row = now and File(upload_status=UploadStatus(now))

    assert has_changed(row or None, "now", File(upload_status=UploadStatus(before)), tags) == news


class TestWait:
    @pytest.mark.parametrize("text", ["0", "61", "-1", "1.5", "", "x", "100", "٣"])
    def test_a_wait_that_is_none_is_refused(self, client: FlaskClient, row: File, text: str) -> None:
        answer = client.get(f"/files/{row.id}?wait={text}")

        assert_problem(answer, 400, "invalid-parameter")
        assert answer.get_json()["parameter"] == "wait"

    @pytest.mark.usefixtures("frozen_clock")
    def test_it_ends_as_soon_as_the_status_changes(self, app: Flask, client: FlaskClient, row: File) -> None:
        thread = soon(app, lambda: transitions.claim(row, LEASE))
        answer = client.get(f"/files/{row.id}?wait=20")
        thread.join()

        assert answer.get_json()["status"] == "PROCESSING"

    def test_progress_does_not_end_it(self, app: Flask, client: FlaskClient, row: File) -> None:
        transitions.claim(row, LEASE)
        thread = soon(app, lambda: transitions.progress(row, LEASE, 3, 2))
        answer, seconds = timed(lambda: client.get(f"/files/{row.id}?wait=1"))
        thread.join()

        assert answer.get_json()["stored_bytes"] == 2
        assert seconds >= 1

    @pytest.mark.usefixtures("frozen_clock")
    def test_for_who_names_a_tag_progress_does(self, app: Flask, client: FlaskClient, row: File) -> None:
        transitions.claim(row, LEASE)
        tag = client.get(f"/files/{row.id}").headers["ETag"]
        thread = soon(app, lambda: transitions.progress(row, LEASE, 3, 2))
        answer = client.get(f"/files/{row.id}?wait=20", headers={"If-None-Match": tag})
        thread.join()

        assert (answer.status_code, answer.get_json()["stored_bytes"]) == (200, 2)

    def test_a_wait_in_which_nothing_happens_ends_with_304(self, client: FlaskClient, row: File) -> None:
        tag = client.get(f"/files/{row.id}").headers["ETag"]
        answer, seconds = timed(lambda: client.get(f"/files/{row.id}?wait=1", headers={"If-None-Match": tag}))

        assert answer.status_code == 304
        assert seconds >= 1

    @pytest.mark.usefixtures("frozen_clock")
    @pytest.mark.parametrize("known", [{}, {"If-None-Match": '"old"'}])
    def test_an_ended_file_is_not_waited_for(self, client: FlaskClient, known: dict[str, str]) -> None:
        answer = client.get(f"/files/{upload(client)}?wait=60", headers=known)

        assert answer.status_code == 200

    def test_a_file_that_goes_meanwhile_is_not_found(
        self, app: Flask, client: FlaskClient, row: File, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(queries, "get_many", lambda ids: {})

        assert_problem(client.get(f"/files/{row.id}?wait=20"), 404, "not-found")

    @pytest.mark.usefixtures("frozen_clock")
    def test_without_a_place_it_ends_at_once(self, client: FlaskClient, row: File) -> None:
        with current_services().changes.subscription(row, "x"), current_services().changes.subscription(row, "y"):
            answer = client.get(f"/files/{row.id}?wait=20")

        assert (answer.status_code, answer.get_json()["status"]) == (200, "PENDING")

    def test_its_place_is_free_afterwards(self, client: FlaskClient, row: File) -> None:
        assert client.get(f"/files/{row.id}?wait=1").status_code == 200
        assert current_services().changes._subscriptions == []


class TestEvents:
    def test_every_change_is_told_in_order_until_the_end(self, app: Flask, client: FlaskClient, row: File) -> None:
        life = [
            lambda: transitions.claim(row, LEASE),
            lambda: transitions.progress(row, LEASE, 3, 1),
            lambda: transitions.requeue(row, "storage-unavailable", 0),
            lambda: transitions.claim(row, LEASE),
            lambda: transitions.complete(row, url="u", size=3, sha256="0" * 64),
        ]

        def live() -> None:
            for move in life:
                assert move()
                time.sleep(0.5)

        thread = soon(app, live)
        answer = client.get(f"/files/{row.id}/events")
        told = events(answer)
        answer.close()
        thread.join()

        assert [(state["status"], state["stored_bytes"]) for _, state in told] == [
            ("PENDING", 0), ("PROCESSING", 0), ("PROCESSING", 1), ("PENDING", 0), ("PROCESSING", 0), ("COMPLETE", 3)
        ]  # fmt: skip
        final = client.get(f"/files/{row.id}")
        assert (f'"{told[-1][0]}"', told[-1][1]) == (final.headers["ETag"], final.get_json())
        assert current_services().changes._subscriptions == []

    def test_its_headers_keep_everybody_from_holding_it_back(self, client: FlaskClient, row: File) -> None:
        transitions.claim(row, LEASE)
        transitions.fail(row, "storage-denied")
        headers = client.get(f"/files/{row.id}/events").headers

        assert headers["Content-Type"] == "text/event-stream"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Accel-Buffering"] == "no"

    def test_an_ended_file_is_told_and_that_is_all(self, client: FlaskClient) -> None:
        path = upload(client)

        assert [state["status"] for _, state in events(client.get(f"/files/{path}/events"))] == ["COMPLETE"]

    def test_who_has_the_end_is_told_that_there_is_no_more(self, client: FlaskClient) -> None:
        path = f"/files/{upload(client)}"
        tag = client.get(path).headers["ETag"].strip('"')
        answer = client.get(f"{path}/events", headers={"Last-Event-ID": tag})

        assert (answer.status_code, answer.data) == (204, b"")

    def test_who_comes_back_hears_only_what_is_new(self, app: Flask, client: FlaskClient, row: File) -> None:
        tag = client.get(f"/files/{row.id}").headers["ETag"].strip('"')
        thread = soon(app, lambda: transitions.claim(row, LEASE) and transitions.fail(row, "storage-denied"))
        with client.get(f"/files/{row.id}/events", headers={"Last-Event-ID": tag}) as answer:
            told = events(answer)
        thread.join()

        assert told[-1][1]["status"] == "ERROR"
        assert "PENDING" not in [state["status"] for _, state in told]

    def test_without_a_place_it_is_refused_and_told_when_to_come_back(self, client: FlaskClient, row: File) -> None:
        with current_services().changes.subscription(row, "x"), current_services().changes.subscription(row, "y"):
            answer = client.get(f"/files/{row.id}/events")

        assert_problem(answer, 503, "too-many-watchers")
        assert int(answer.headers["Retry-After"]) > 0

    def test_who_only_asks_for_the_head_takes_no_place(self, client: FlaskClient, row: File) -> None:
        assert client.head(f"/files/{row.id}/events").headers["Content-Type"] == "text/event-stream"
        assert current_services().changes._subscriptions == []

    @pytest.mark.parametrize("read", [0, 1])
    def test_a_client_that_goes_away_gives_its_place_back(self, client: FlaskClient, row: File, read: int) -> None:
        answer = client.get(f"/files/{row.id}/events")
        assert len(current_services().changes._subscriptions) == 1
        for _ in range(read):
            next(iter(answer.response))
        answer.close()

        assert current_services().changes._subscriptions == []

    @pytest.mark.usefixtures("frozen_clock")
    def test_a_stop_ends_it(self, client: FlaskClient, row: File) -> None:
        thread = soon(client.application, current_services().changes.stop)
        told = client.get(f"/files/{row.id}/events")
        thread.join()

        assert [state["status"] for _, state in events(told)] == ["PENDING"]


class TestMany:
    def ask(self, client: FlaskClient, body: Any, **options: Any) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return client.post("/files/status", data=data, **{"content_type": "application/json"} | options)

    def test_files_come_in_the_order_asked_and_the_unknown_are_named(self, client: FlaskClient) -> None:
        first, second = upload(client, "1"), upload(client, "2")
        odd = ["", "x", "\x00", "\ud800", "é" * 300, UNKNOWN]
        answer = self.ask(client, {"ids": [second, *odd, first, second]})

        assert answer.status_code == 200
        assert [found["name"] for found in answer.get_json()["files"]] == ["2", "1"]
        assert answer.get_json()["unknown"] == odd
        assert answer.get_json()["files"][1] == client.get(f"/files/{first}").get_json()

    def test_those_of_others_and_those_deleted_are_unknown(
        self, client: FlaskClient, settings: dict[str, str], row: File
    ) -> None:
        gone = upload(client)
        engine.execute(models.FILES.update().where(models.FILES.c.id == gone).values(deleted_at=1.0))
        key = {"Authorization": f"Bearer {api_keys.create(BOB, ['read'], None)}"}

        assert self.ask(client, {"ids": [row.id, gone]}, headers=key).get_json() == {
            "files": [], "unknown": [row.id, gone]
        }  # fmt: skip
        anonymous = create_app(settings | {"ALLOW_ANONYMOUS": "1"}).test_client()
        assert self.ask(anonymous, {"ids": [row.id, gone]}).get_json()["unknown"] == [gone]

    def test_a_hundred_cost_one_statement(self, app: Flask, client: FlaskClient) -> None:
        ids = [upload(client, str(number)) for number in range(100)]
        statements: list[str] = []
        event.listen(
            models.db.engine, "before_cursor_execute", lambda *call: statements.append(call[2].split()[0]), named=False
        )

        assert len(self.ask(client, {"ids": ids}).get_json()["files"]) == 100
        assert statements == ["SELECT"]

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"ids=a", b"[" * 60_000, b'{"ids":["\x00"]}', b"NaN NaN"])
    def test_what_is_not_json_is_refused(self, client: FlaskClient, body: bytes) -> None:
        assert_problem(self.ask(client, body), 400, "bad-request")

    @pytest.mark.parametrize(
        "type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    )
    def test_what_does_not_call_itself_json_is_refused(self, client: FlaskClient, type: str) -> None:
        assert_problem(self.ask(client, {"ids": ["a"]}, content_type=type), 415, "unsupported-media-type")

    def test_what_is_wrong_in_it_is_pointed_at(self, client: FlaskClient) -> None:
        answer = self.ask(client, {"ids": ["a", 1]})

        assert_problem(answer, 422, "invalid-body")
        assert answer.get_json()["pointer"] == "/ids/1"

    @pytest.mark.parametrize("announced", [True, False])
    def test_a_body_is_not_read_beyond_what_it_may_be(self, client: FlaskClient, announced: bool) -> None:
        body = json.dumps({"ids": ["x" * (64 << 10)]}).encode()
        environ = {} if announced else {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
        answer = self.ask(client, body, environ_overrides=environ)

        assert_problem(answer, 413, "too-large")
        assert answer.get_json()["max_bytes"] == 64 << 10
        assert self.ask(client, json.dumps({"ids": ["x" * 65_523]}).encode()).status_code == 200

    def test_get_asks_for_a_file_of_that_name(self, client: FlaskClient) -> None:
        assert_problem(client.get("/files/status"), 404, "not-found")
