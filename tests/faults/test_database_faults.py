"""An unavailable, frozen or locked database: at a request, during an upload, at its end."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any

import pytest
import requests

from dev.polling import wait_until
from tests.faults.client import MODES
from tests.faults.cluster import Cluster
from tests.faults.inspection import bodies_sent, ends_as, in_background, problem

SMALL, LARGE = 100_000, 9 << 20


@pytest.mark.parametrize("mode", ["normal", pytest.param("async", marks=pytest.mark.faults)])
def test_an_upload_waits_for_a_database_that_was_killed(postgres_cluster: Cluster, mode: str) -> None:
    """The file is stored once; in normal mode the client gets a success."""
    cluster, before = postgres_cluster, bodies_sent(postgres_cluster)
    slow = cluster.proxy.inject("put_object", "stall")
    looks = cluster.proxy.seen("head_object")
    sending = in_background(cluster.client.upload, mode, os.urandom(SMALL))
    wait_until(lambda: slow.triggered)
    cluster.kill("database")
    slow.released.set()
    cluster.proxy.wait_for("head_object", looks + 1)
    time.sleep(0.3)  # No database at the end of the attempt.
    cluster.start("database")

    assert ends_as(cluster, sending.result(20), "COMPLETE").attempt == 1
    assert bodies_sent(cluster) == before + 1


@pytest.mark.faults
@pytest.mark.parametrize("mode", ["async", "celery"])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_an_upload_waits_for_a_frozen_database(postgres_cluster: Cluster, mode: str, size: int) -> None:
    """For longer than the lease. The connections stay open without a response."""
    cluster = postgres_cluster
    slow = cluster.proxy.inject("put_object" if size == SMALL else "upload_part", "stall")
    upload = cluster.client.upload(mode, os.urandom(size))
    wait_until(lambda: slow.triggered)
    cluster.freeze("database")
    slow.released.set()
    time.sleep(5)
    cluster.thaw("database")

    ends_as(cluster, upload, "COMPLETE", 40)


@pytest.mark.faults
def test_without_a_database_nothing_is_accepted(postgres_cluster: Cluster) -> None:
    """503 in time; nothing is written."""
    cluster, before = postgres_cluster, bodies_sent(postgres_cluster)
    cluster.kill("database")
    uploads = [cluster.client.upload(mode, os.urandom(SMALL), seconds=15) for mode in MODES]
    ready = requests.get(f"{cluster.client.url}/healthz/ready", timeout=30)
    alive = requests.get(f"{cluster.client.url}/healthz", timeout=5)
    spooled = cluster.spooled()
    cluster.start("database")

    assert {(upload.status, upload.slug) for upload in uploads} == {(503, "database-unavailable")}
    assert problem(ready) == (503, "database-unavailable")
    assert alive.status_code == 200
    assert (spooled, bodies_sent(cluster)) == ([], before)


@pytest.mark.faults
def test_a_frozen_database_delays_requests_by_seconds(postgres_cluster: Cluster) -> None:
    cluster = postgres_cluster
    cluster.freeze("database")
    uploads = [in_background(cluster.client.upload, mode, os.urandom(SMALL), seconds=30) for mode in MODES]
    answers = [upload.result(40) for upload in uploads]
    cluster.thaw("database")

    assert {(upload.status, upload.slug) for upload in answers} == {(503, "database-unavailable")}


@pytest.mark.faults
def test_a_database_that_was_restarted_costs_no_request(postgres_cluster: Cluster) -> None:
    """The pooled connections of all processes are dead."""
    cluster = postgres_cluster
    cluster.restart("database")
    uploads = [cluster.client.upload(mode, os.urandom(SMALL)) for mode in MODES for _ in range(4)]

    assert {(upload.mode, upload.status) for upload in uploads} == set(MODES.items())


@pytest.mark.faults
def test_many_writers_wait_for_each_other(any_cluster: Cluster) -> None:
    """No request fails because of concurrent writers."""
    cluster = any_cluster
    uploads = [in_background(cluster.client.upload, mode, os.urandom(1000)) for mode in MODES for _ in range(60)]
    answers = [upload.result(60) for upload in uploads]

    assert {(upload.mode, upload.status) for upload in answers} == set(MODES.items())
    for upload in answers:
        ends_as(cluster, upload, "COMPLETE", 60)


@pytest.mark.faults
@pytest.mark.parametrize("mode", MODES)
def test_an_upload_waits_for_a_locked_database(cluster: Cluster, mode: str) -> None:
    """Another program holds SQLite's write lock at the end of an upload."""
    slow = cluster.proxy.inject("put_object", "stall")
    sending: Any = in_background(cluster.client.upload, mode, os.urandom(SMALL))
    wait_until(lambda: slow.triggered)
    other = sqlite3.connect(cluster.data / "ferry.db", timeout=10, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    slow.released.set()
    time.sleep(2)
    other.execute("ROLLBACK")
    other.close()

    assert ends_as(cluster, sending.result(30), "COMPLETE", 30).attempt == 1
