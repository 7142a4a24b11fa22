"""The spool budget: declared sizes reserve nothing, and one client leaves space for others."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient

from auth import api_keys
from dev.polling import eventually
from problems import SpoolLimitReached
from quotas.spool_budget import SpoolBudget, available
from tests.conftest import drain
from tests.fakes import FORM, form, part, services_of

MB = 10**6


@pytest.mark.parametrize(
    ("used", "own", "oldest", "expected"),
    [
        (0, 0, True, 100),
        (30, 0, True, 70),
        (30, 30, True, 70),
        (120, 0, True, -20),
        (0, 0, False, 50),
        (30, 0, False, 50),
        (30, 30, False, 20),
        (60, 0, False, 40),
        (60, 60, False, -10),
    ],
)
def test_the_oldest_upload_gets_the_whole_budget_and_a_client_half(
    used: int, own: int, oldest: bool, expected: int
) -> None:
    assert available(100, used, own, oldest=oldest) == expected


def test_bytes_are_reserved_a_step_ahead_within_the_declared_size_and_the_budget() -> None:
    budget = SpoolBudget(1600, lambda ids: 0)
    for id, client, max_bytes in (("known", "a", 150), ("unknown", "b", None)):
        budget.begin(id, client, max_bytes)
    reserved = []
    for received in (1, 100, 101, 102):
        for id in ("known", "unknown"):
            budget.record(id, received)
        reserved.append([upload.reserved for upload in budget._uploads.values()])

    assert reserved == [[101, 101], [101, 101], [101, 101], [150, 202]]
    budget.record("unknown", 1440)
    assert budget._uploads["unknown"].reserved == 1450
    with pytest.raises(SpoolLimitReached):
        budget.record("unknown", 1451)
    budget.end("unknown", spooled=False)
    budget.end("unknown", spooled=False)
    budget.begin("next", "b", 1450)


def test_a_later_upload_does_not_end_an_earlier_one() -> None:
    budget = SpoolBudget(100, lambda ids: 0)
    budget.begin("first", "a", 90)
    budget.record("first", 20)
    budget.begin("second", "a", 20)
    budget.record("second", 20)
    budget.record("first", 74)

    assert budget._uploads["first"].reserved == 80
    budget.end("first", spooled=False)
    budget.record("second", 20)


class StalledBody:
    """A body that stops after its first bytes until the event is set, and then ends too early."""

    def __init__(self, resume: threading.Event) -> None:
        self._resume, self._first = resume, bytes(20_000)

    def read(self, size: int = -1) -> bytes:
        if not self._first:
            self._resume.wait(30)
        piece, self._first = self._first[:size], self._first[size:]
        return piece


def post(app: Flask, headers: dict[str, str], length: int, body: object, mode: str = "async") -> tuple[int, str]:
    response = app.test_client().post(
        f"/{mode}_upload?name=a.bin",
        content_type="application/pdf",
        headers=headers,
        environ_overrides={"wsgi.input": body, "CONTENT_LENGTH": str(length)},
    )
    return response.status_code, response.get_json().get("type", "").removeprefix("/problems/")


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return settings | {"SPOOL_MAX_BYTES": "20MB", "MAX_FILE_SIZE": "15MB"}


@contextmanager
def four_slow_uploads(app: Flask, headers: dict[str, str]) -> Iterator[list[tuple[int, str]]]:
    """Uploads that declare 15 MB each. Yields their responses, complete at the end."""
    resume, responses = threading.Event(), list[tuple[int, str]]()
    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(post, app, headers, 15 * MB, StalledBody(resume)) for _ in range(4)]
        try:
            spool = services_of(app).spool
            assert eventually(lambda: any(file.size for file in spool.files()))
            assert eventually(lambda: sum(each.done() for each in running) == 3)
            yield responses
        finally:
            resume.set()
        responses += [each.result() for each in running]


def test_a_client_that_declares_much_and_sends_little_blocks_no_other(app: Flask) -> None:
    alice, bob = (
        {"Authorization": f"Bearer {api_keys.create(name, api_keys.SCOPES, None)}"} for name in ("alice", "bob")
    )
    with four_slow_uploads(app, alice) as responses:
        began = time.monotonic()
        assert post(app, bob, 6 * MB, io.BytesIO(bytes(6 * MB))) == (202, "")
        assert time.monotonic() - began < 5

    assert sorted(responses) == [(400, "incomplete-body"), *3 * [(503, "too-much-waiting")]]
    drain(app)
    assert list(services_of(app).spool.files()) == []


class UnreadBody:
    """A body that fails the test if it is read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_a_body_above_the_quota_is_refused_unread_with_the_numbers(client: FlaskClient, app: Flask, mode: str) -> None:
    alice = {"Authorization": f"Bearer {api_keys.create('alice', api_keys.SCOPES, None, quota_bytes=MB)}"}
    assert (
        client.post("/normal_upload?name=a", data=b"1234", headers=alice, content_type="text/plain").status_code == 201
    )

    response = client.post(
        f"/{mode}_upload?name=a",
        headers=alice,
        content_type="application/pdf",
        environ_overrides={"wsgi.input": UnreadBody(), "CONTENT_LENGTH": str(MB - 3)},
    )
    problem = response.get_json()
    assert (response.status_code, problem["type"]) == (403, "/problems/quota-exceeded")
    assert (problem["quota_bytes"], problem["used_bytes"], problem["used_files"]) == (MB, 4, 1)
    assert len(client.get("/files", headers=alice).get_json()["files"]) == 1
    fits = client.post("/normal_upload?name=a", data=bytes(MB - 4), headers=alice, content_type="text/plain")
    assert fits.status_code == 201


@pytest.mark.parametrize("extra", [0, 60_000])
def test_other_parts_of_a_form_do_not_count_towards_the_quota(client: FlaskClient, extra: int) -> None:
    alice = {"Authorization": f"Bearer {api_keys.create('alice', api_keys.SCOPES, None, quota_bytes=1000)}"}
    body = form(part("note", b"n" * extra), part("file", bytes(1000), "a.txt"))

    assert client.post("/normal_upload", data=body, content_type=FORM, headers=alice).status_code == 201


def test_a_form_above_the_quota_is_refused_unread(client: FlaskClient) -> None:
    alice = {"Authorization": f"Bearer {api_keys.create('alice', api_keys.SCOPES, None, quota_bytes=1000)}"}
    overrides = {"wsgi.input": UnreadBody(), "CONTENT_LENGTH": str(1001 + (1 << 20) + (64 << 10))}
    response = client.post("/async_upload", content_type=FORM, headers=alice, environ_overrides=overrides)

    assert response.status_code == 403


@pytest.mark.parametrize("mode", ["normal", "async"])
def test_a_repeated_request_is_answered_though_the_quota_is_full(client: FlaskClient, app: Flask, mode: str) -> None:
    alice = {"Authorization": f"Bearer {api_keys.create('alice', api_keys.SCOPES, None, quota_bytes=1000)}"}
    upload = {"data": bytes(1000), "content_type": "text/plain", "headers": alice | {"Idempotency-Key": "k"}}
    first, second = (client.post(f"/{mode}_upload?name=a", **upload) for _ in range(2))  # type: ignore[arg-type]
    assert first.get_json()["id"] == second.get_json()["id"]

    other = client.post(f"/{mode}_upload?name=a", **(upload | {"headers": alice | {"Idempotency-Key": "other"}}))  # type: ignore[arg-type]
    assert other.status_code == 403
    drain(app)
