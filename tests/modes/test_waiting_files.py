"""Files that have waited for a worker for more than two leases are named by `/healthz/ready` and `flask doctor`."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from database import engine
from lifecycle import attempts, queries, transitions
from tests.harness.factories import claimed_file, failed_file, pending_file

PAUSE = attempts.MAX_RETRY_DELAY


def later(seconds: float) -> None:
    """Move the row's timestamps back by so many seconds."""
    for column in ("created_at", "updated_at", "due_at"):
        engine.execute(text(f"UPDATE files SET {column} = {column} - :seconds"), {"seconds": seconds})


def ready(app: Flask) -> Any:
    answer = app.test_client().get("/healthz/ready")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "ready")
    return answer.get_json()["celery"]


def test_a_file_that_has_waited_for_two_leases_is_named(app: Flask) -> None:
    pending_file("celery")
    later(5)
    assert ready(app) == {"waiting": 0, "oldest_seconds": 0}
    pending_file("celery")
    later(2)

    assert ready(app) == {"waiting": 1, "oldest_seconds": 7}
    [line] = [line for line in app.test_cli_runner().invoke(args=["doctor"]).output.splitlines() if "workers" in line]
    assert line.startswith("FAIL  workers: 1 files wait for one, the longest for 7 s. Check that one runs")


def test_another_dispatch_does_not_reset_its_waiting_time(app: Flask) -> None:
    row = pending_file("celery")
    later(100)
    assert transitions.mark_dispatched(row, 3)

    assert ready(app) == {"waiting": 1, "oldest_seconds": 100}


def test_other_files_are_not_counted_as_waiting(app: Flask) -> None:
    """Files of another mode, in PROCESSING, in ERROR, and deleted."""
    pending_file("async")
    claimed_file("celery", 1e6)
    failed_file("celery")
    assert transitions.mark_deleted(pending_file("celery"))
    later(100)

    assert ready(app) == {"waiting": 0, "oldest_seconds": 0}
    assert "ok    workers: no file has waited long for one" in app.test_cli_runner().invoke(args=["doctor"]).output


@pytest.mark.parametrize(("age", "waiting"), [(100, 0), (PAUSE + 5, 0), (PAUSE + 8, 1)])
def test_the_pause_after_a_failed_attempt_does_not_count(app: Flask, age: float, waiting: int) -> None:
    assert transitions.requeue(claimed_file("celery", 3), "storage-unavailable", 900)
    later(age)

    assert ready(app) == {"waiting": waiting, "oldest_seconds": 8 * waiting}


def test_no_pause_exceeds_the_maximum() -> None:
    pauses = [attempts.retry_delay("celery", Exception(), attempt, 1000, 900) for attempt in range(1, 1000)]

    assert max(pause or 0 for pause in pauses) * 1.25 == PAUSE


def test_waiting_files_are_counted_on_postgresql(app_on_postgresql: Flask) -> None:
    assert queries.waiting_for_workers(6, PAUSE) == (0, 0)
    row = pending_file("celery")
    later(100)

    count, seconds = queries.waiting_for_workers(6, PAUSE)
    assert (count, int(seconds)) == (1, 100)
    transitions.mark_deleted(row)
