"""A request is answered only with the file of a running attempt, in this spool."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from flask import Flask
from pybase64 import b64encode

from lifecycle import transitions
from relay import server
from services import current_services
from tests.harness.factories import BODY, claimed_file, pending_file
from tests.relay.conftest import ID, pieces_key


def test_the_file_of_a_running_attempt_is_sent(app: Flask, redis_client: redis.Redis) -> None:
    row = claimed_file("celery")
    server.send_bytes(row.id, row.attempt)

    assert redis_client.lrange(pieces_key(row), 0, -1) == [b64encode(BODY), b"."]


def waiting(app: Flask) -> tuple[str, int]:
    return pending_file("celery").id, 1


def ended(app: Flask) -> tuple[str, int]:
    row = claimed_file("celery")
    assert transitions.set_error(row, "storage-denied")
    return row.id, row.attempt


def of_another_attempt(step: int) -> Callable[[Flask], tuple[str, int]]:
    def build(app: Flask) -> tuple[str, int]:
        row = claimed_file("celery")
        return row.id, row.attempt + step

    return build


def of_another_mode(app: Flask) -> tuple[str, int]:
    row = claimed_file("async")
    return row.id, row.attempt


def of_another_spool(app: Flask) -> tuple[str, int]:
    row = claimed_file("celery")
    vars(current_services().spool)["identity"] = "another"
    return row.id, row.attempt


@pytest.mark.parametrize(
    "request_from",
    [
        waiting,
        ended,
        of_another_attempt(1),
        of_another_attempt(-1),
        of_another_mode,
        of_another_spool,
        lambda app: (ID, 1),
        lambda app: ("../ferry.db", 1),
        lambda app: ("/proc/self/environ", 1),
    ],
    ids=["waiting", "ended", "later", "earlier", "async", "another spool", "no row", "beside the spool", "environ"],
)
def test_a_request_for_any_other_file_is_refused(
    app: Flask,
    redis_client: redis.Redis,
    request_from: Callable[[Flask], tuple[str, int]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.send_bytes(*request_from(app))

    assert redis_client.keys("*:pieces:*") == []
    assert "relay.request_refused" in caplog.text
