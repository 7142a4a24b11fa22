"""Hosts with a wrong clock: every time in a row is by the database's clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

import file
from database import engine
from lifecycle import idempotency, queries, transitions
from models import FileRow
from sweep import orphans
from sweep.report import Report
from sweep.rows import sweep_deleted
from tests.fakes import FORM, form, part
from tests.harness.factories import EXPIRED, pending_file, pending_row, reload, uploading_file

HOUR = 3600.0


@pytest.fixture(params=[-HOUR, HOUR], ids=["behind", "ahead"])
def skew(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds by which the clock of the host that receives uploads is off."""
    set_clock(monkeypatch, request.param)
    return float(request.param)


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    class Skewed(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + timedelta(seconds=seconds)

    monkeypatch.setattr(file, "datetime", Skewed)


def insert(ttl: float | None, mode: file.Mode = "async") -> FileRow:
    return pending_file(mode, expires_in=ttl) if mode == "async" else uploading_file(1, expires_in=ttl)


@pytest.mark.parametrize("mode", ["async", "normal"])
def test_times_of_a_row_are_by_the_databases_clock(app: Flask, skew: float, mode: file.Mode) -> None:
    row, now = insert(HOUR, mode), engine.now()

    assert [abs(at - now) < 5 for at in (row.created_at, row.updated_at)] == [True, True]
    assert row.expires_at == pytest.approx(row.created_at + HOUR, abs=0.001)
    assert (reload(row).created_at, reload(row).expires_at) == (row.created_at, row.expires_at)


def test_a_file_expires_neither_early_nor_late(app: Flask, skew: float) -> None:
    late, early = insert(HOUR), insert(-1)
    sweep_deleted(Report())

    assert (queries.get(late.id) is not None, queries.get(early.id)) == (True, None)


def test_a_file_without_a_ttl_does_not_expire(app: Flask, skew: float) -> None:
    assert insert(None).expires_at is None


def test_a_dispatched_file_is_due_again_after_a_lease(app: Flask, skew: float) -> None:
    row = pending_row(lease=EXPIRED)

    assert transitions.mark_dispatched(row, 30.0)
    due = reload(row).due_at
    assert due == pytest.approx(engine.now() + 30, abs=5)


def test_a_repeated_request_is_recognised_by_a_host_with_another_clock(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = []
    for seconds in (0, HOUR, -HOUR):
        set_clock(monkeypatch, seconds)
        body = form(part("file", b"1", "a"))
        headers = {"Idempotency-Key": "k"}
        answer = client.post("/normal_upload?expires_in=60", data=body, content_type=FORM, headers=headers)
        assert answer.status_code == 201
        ids.append(answer.get_json()["id"])
    assert len(set(ids)) == 1
    assert idempotency.delete_expired() == 0


@pytest.mark.parametrize(("host", "base"), [(HOUR, 0), (0, HOUR)], ids=["host", "database"])
def test_ids_are_compared_with_the_slower_clock(
    app: Flask, monkeypatch: pytest.MonkeyPatch, host: float, base: float
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + host)
    monkeypatch.setattr(engine, "now", lambda: now + base)

    assert orphans._now() == now
