"""The budget of the spool: announcing takes nothing, and one client leaves room for another."""

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
from problems import TooMuchWaiting
from quotas.spool_budget import SpoolBudget, available
from tests.conftest import drain
from tests.fakes import FORM, eventually, form, part, services_of

MB = 10**6


@pytest.mark.parametrize(
    ("waiting", "own", "oldest", "left"),
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
def test_the_oldest_has_what_is_left_and_all_of_a_client_half(waiting: int, own: int, oldest: bool, left: int) -> None:
    assert available(100, waiting, own, oldest=oldest) == left


def test_what_comes_is_counted_a_step_ahead_but_never_more_than_was_announced_or_is_left() -> None:
    budget = SpoolBudget(1600, lambda ids: 0)
    for id, client, bound in (("known", "a", 150), ("unknown", "b", None)):
        budget.begin(id, client, bound)
    counted = []
    for came in (1, 100, 101, 102):
        for id in ("known", "unknown"):
            budget.record(id, came)
        counted.append([upload.counted for upload in budget._uploads.values()])

    assert counted == [[101, 101], [101, 101], [101, 101], [150, 202]]
    budget.record("unknown", 1440)
    assert budget._uploads["unknown"].counted == 1450
    with pytest.raises(TooMuchWaiting):
        budget.record("unknown", 1451)
    budget.end("unknown", kept=False)
    budget.end("unknown", kept=False)
    budget.begin("next", "b", 1450)


def test_an_upload_that_began_first_is_not_ended_for_one_that_began_later() -> None:
    budget = SpoolBudget(100, lambda ids: 0)
    budget.begin("first", "a", 90)
    budget.record("first", 20)
    budget.begin("second", "a", 20)
    budget.record("second", 20)
    budget.record("first", 74)

    assert budget._uploads["first"].counted == 80
    budget.end("first", kept=False)
    budget.record("second", 20)


class Slow:
    """A body that stops coming after its first bytes, until it is let go: then it ends too soon."""

    def __init__(self, go: threading.Event) -> None:
        self._go, self._first = go, bytes(20_000)

    def read(self, size: int = -1) -> bytes:
        if not self._first:
            self._go.wait(30)
        piece, self._first = self._first[:size], self._first[size:]
        return piece


def post(app: Flask, who: dict[str, str], length: int, body: object, mode: str = "async") -> tuple[int, str]:
    answer = app.test_client().post(
        f"/{mode}_upload?name=a.bin",
        content_type="application/pdf",
        headers=who,
        environ_overrides={"wsgi.input": body, "CONTENT_LENGTH": str(length)},
    )
    return answer.status_code, answer.get_json().get("type", "").removeprefix("/problems/")


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return settings | {"SPOOL_BUDGET": "20MB", "MAX_FILE_SIZE": "15MB"}


@contextmanager
def four_slow_uploads(app: Flask, who: dict[str, str]) -> Iterator[list[tuple[int, str]]]:
    """Of 15 MB each, as they announce. Afterwards: what they were answered."""
    go, told = threading.Event(), list[tuple[int, str]]()
    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(post, app, who, 15 * MB, Slow(go)) for _ in range(4)]
        try:
            spool = services_of(app).spool
            assert eventually(lambda: any(kept.size for kept in spool.files()))
            assert eventually(lambda: sum(each.done() for each in running) == 3)
            yield told
        finally:
            go.set()
        told += [each.result() for each in running]


def test_who_announces_much_and_sends_little_keeps_nobody_out(app: Flask) -> None:
    alice, bob = (
        {"Authorization": f"Bearer {api_keys.create(name, api_keys.SCOPES, None)}"} for name in ("alice", "bob")
    )
    with four_slow_uploads(app, alice) as told:
        began = time.monotonic()
        assert post(app, bob, 6 * MB, io.BytesIO(bytes(6 * MB))) == (202, "")
        assert time.monotonic() - began < 5

    assert sorted(told) == [(400, "incomplete-body"), *3 * [(503, "too-much-waiting")]]
    drain(app)
    assert list(services_of(app).spool.files()) == []


class Never:
    """A body of which no byte is read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_what_can_not_fit_the_quota_is_refused_unread_with_its_numbers(
    client: FlaskClient, app: Flask, mode: str
) -> None:
    alice = {"Authorization": f"Bearer {api_keys.create('alice', api_keys.SCOPES, None, quota_bytes=MB)}"}
    assert (
        client.post("/normal_upload?name=a", data=b"1234", headers=alice, content_type="text/plain").status_code == 201
    )

    answer = client.post(
        f"/{mode}_upload?name=a",
        headers=alice,
        content_type="application/pdf",
        environ_overrides={"wsgi.input": Never(), "CONTENT_LENGTH": str(MB - 3)},
    )
    told = answer.get_json()
    assert (answer.status_code, told["type"]) == (403, "/problems/quota-exceeded")
    assert (told["quota_bytes"], told["used_bytes"], told["used_files"]) == (MB, 4, 1)
    assert len(client.get("/files", headers=alice).get_json()["files"]) == 1
    fits = client.post("/normal_upload?name=a", data=bytes(MB - 4), headers=alice, content_type="text/plain")
    assert fits.status_code == 201


@pytest.mark.parametrize("beside", [0, 60_000])
def test_what_a_form_has_beside_its_file_is_not_counted(client: FlaskClient, beside: int) -> None:
    alice = {"Authorization": f"Bearer {api_keys.create('alice', api_keys.SCOPES, None, quota_bytes=1000)}"}
    body = form(part("note", b"n" * beside), part("file", bytes(1000), "a.txt"))

    assert client.post("/normal_upload", data=body, content_type=FORM, headers=alice).status_code == 201


def test_a_form_that_can_not_fit_is_refused_unread(client: FlaskClient) -> None:
    alice = {"Authorization": f"Bearer {api_keys.create('alice', api_keys.SCOPES, None, quota_bytes=1000)}"}
    overrides = {"wsgi.input": Never(), "CONTENT_LENGTH": str(1001 + (1 << 20) + (64 << 10))}
    answer = client.post("/async_upload", content_type=FORM, headers=alice, environ_overrides=overrides)

    assert answer.status_code == 403


@pytest.mark.parametrize("mode", ["normal", "async"])
def test_a_request_that_comes_again_is_answered_though_the_quota_is_full(
    client: FlaskClient, app: Flask, mode: str
) -> None:
    alice = {"Authorization": f"Bearer {api_keys.create('alice', api_keys.SCOPES, None, quota_bytes=1000)}"}
    sent = {"data": bytes(1000), "content_type": "text/plain", "headers": alice | {"Idempotency-Key": "k"}}
    first, again = (client.post(f"/{mode}_upload?name=a", **sent) for _ in range(2))  # type: ignore[arg-type]
    assert first.get_json()["id"] == again.get_json()["id"]

    other = client.post(f"/{mode}_upload?name=a", **(sent | {"headers": alice | {"Idempotency-Key": "other"}}))  # type: ignore[arg-type]
    assert other.status_code == 403
    drain(app)
