"""The main promises, each under the fault that would break it. Other faults: test_*_faults.py.

These few run with every `make test`. After each test the invariants of checker.py are asserted (conftest.py).
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from dev.polling import wait_until
from tests.faults import inspection
from tests.faults.client import MODES, Upload
from tests.faults.cluster import Cluster
from tests.faults.inspection import bodies_sent, ends_as, has_status, in_background, objects, row, rows
from tests.harness import sessions
from tests.harness.raw_client import RawClient

SMALL, LARGE = 100_000, 9 << 20
SLOW = [pytest.param(mode, marks=pytest.mark.faults) for mode in ("normal", "celery")]


@pytest.mark.parametrize(
    ("operation", "size", "sends"),
    [("put_object", SMALL, 3), pytest.param("complete_multipart", LARGE, 1, marks=pytest.mark.faults)],
)
def test_a_storage_that_confirms_but_drops_the_bytes_is_detected(
    cluster: Cluster, operation: str, size: int, sends: int
) -> None:
    """Bytes in memory are sent `sends` times in an attempt."""
    fault = cluster.proxy.inject(operation, "nothing_kept", times=2 * sends)

    assert cluster.client.upload("normal", os.urandom(size)).slug == "storage-mismatch"
    upload = cluster.client.upload("async", os.urandom(size))

    assert ends_as(cluster, upload, "COMPLETE").attempt == 2
    assert fault.triggered == 2 * sends


@pytest.mark.faults
def test_a_storage_that_drops_half_of_the_bytes_is_detected(cluster: Cluster) -> None:
    cluster.proxy.inject("put_object", "half_kept", times=6)

    assert cluster.client.upload("normal", os.urandom(SMALL)).slug == "storage-mismatch"
    assert ends_as(cluster, cluster.client.upload("async", os.urandom(SMALL)), "COMPLETE").attempt == 2


@pytest.mark.parametrize(
    ("operation", "size", "attempts"),
    [("put_object", SMALL, 1), pytest.param("upload_part", LARGE, 2, marks=pytest.mark.faults)],
)
def test_bytes_damaged_in_transit_are_sent_again(cluster: Cluster, operation: str, size: int, attempts: int) -> None:
    """Within the attempt. rclone can't replace a part that it has passed on: a second attempt sends all again."""
    cluster.proxy.inject(operation, "corrupt")

    assert ends_as(cluster, cluster.client.upload("async", os.urandom(size)), "COMPLETE").attempt == attempts


def test_a_damaged_send_is_repeated_within_the_only_attempt(cluster: Cluster) -> None:
    cluster.proxy.inject("put_object", "corrupt", times=2)

    assert ends_as(cluster, cluster.client.upload("normal", os.urandom(SMALL)), "COMPLETE").attempt == 1


def test_a_killed_web_process_loses_no_accepted_file(cluster: Cluster) -> None:
    """The multipart upload is resumed; that of a request killed with the process is aborted by the sweep."""
    slow = cluster.proxy.inject("upload_part", "stall", times=None)
    with ThreadPoolExecutor(1) as threads:
        lost = threads.submit(cluster.client.upload, "normal", os.urandom(LARGE))
        wait_until(lambda: slow.triggered == 2)
        upload = cluster.client.upload("async", os.urandom(LARGE))
        wait_until(lambda: slow.triggered == 4)
        for pid in cluster.children("web"):
            os.kill(pid, signal.SIGKILL)
        assert not lost.result(30).accepted
    cluster.proxy.heal()

    assert ends_as(cluster, upload, "COMPLETE").attempt == 2


@pytest.mark.parametrize("mode", ["async", SLOW[1]])
def test_an_attempt_resumed_after_its_lease_changes_nothing(postgres_cluster: Cluster, mode: str) -> None:
    """It is resumed while its successor works, and finds that its attempt is not the current one.

    Not on SQLite: a process frozen during a write blocks all other writers.
    """
    cluster = postgres_cluster
    cluster.fail("claimed", "freeze")
    upload = cluster.client.upload(mode, os.urandom(SMALL))
    wait_until(lambda: inspection.frozen(cluster))
    successors = cluster.proxy.inject("put_object", "stall")
    wait_until(lambda: successors.triggered)
    inspection.thaw(cluster)
    wait_until(lambda: _has_lost_its_lease(cluster, upload) or not has_status(cluster, upload, "PROCESSING"))

    assert row(cluster, upload.id).attempt == 2
    assert has_status(cluster, upload, "PROCESSING")
    successors.released.set()
    assert ends_as(cluster, upload, "COMPLETE").attempt == 2
    assert len(objects(cluster, upload.id or "")) == 1


def _has_lost_its_lease(cluster: Cluster, upload: Upload) -> bool:
    logs = (cluster.log(name).read_text() for name in ("web", "worker"))
    return any(f"{upload.id}: attempt.lease_lost: attempt 1" in log for log in logs)


@pytest.mark.parametrize("mode", ["async", *SLOW])
def test_an_upload_longer_than_its_lease_keeps_it(cluster: Cluster, mode: str) -> None:
    """The sweep runs four times meanwhile, and leaves row and parts alone."""
    aborted = cluster.proxy.seen("abort_multipart")
    slow = cluster.proxy.inject("upload_part", "stall")
    sending = in_background(cluster.client.upload, mode, os.urandom(LARGE))
    wait_until(lambda: slow.triggered)
    looks = cluster.proxy.seen("list_uploads")
    cluster.proxy.wait_for("list_uploads", looks + 4)
    slow.released.set()

    assert ends_as(cluster, sending.result(20), "COMPLETE").attempt == 1
    assert cluster.proxy.seen("abort_multipart") == aborted


def test_a_file_whose_object_exists_is_not_sent_again(cluster: Cluster) -> None:
    """Its process was killed between the upload and the row. (A redelivered Celery task does send it again.)"""
    before = bodies_sent(cluster)
    cluster.fail("before_finish_update", "kill9")
    upload = cluster.client.upload("async", os.urandom(SMALL))

    assert ends_as(cluster, upload, "COMPLETE").attempt == 2
    assert bodies_sent(cluster) == before + 1


@pytest.mark.parametrize("mode", ["async", *SLOW])
def test_a_truncated_body_is_never_stored(cluster: Cluster, mode: str) -> None:
    """gunicorn takes a half-closed connection for the end of the body."""
    with RawClient(cluster.ports.web) as client:
        client.send(inspection.part_of_upload(mode, 1000, 500), end=True)
        answer = client.reply()

    assert answer.outcome == (400, "application/problem+json", "incomplete-body")
    halves = [row for row in rows(cluster) if row.name == "half.bin"]
    assert {row.error for row in halves} <= {"client-disconnected"}
    assert {row.upload_status for row in halves} <= {"ERROR"}


@pytest.mark.parametrize("mode", ["normal", "async", SLOW[1]])
def test_five_requests_with_one_key_make_one_file(cluster: Cluster, mode: str) -> None:
    """Concurrently: a request during the first gets 409, and the file when it is repeated."""
    body, key, before = os.urandom(SMALL), os.urandom(8).hex(), len(rows(cluster))
    sending = [in_background(cluster.client.upload, mode, body, key=key) for _ in range(5)]
    uploads = [upload.result(20) for upload in sending]
    again = cluster.client.upload(mode, body, key=key)

    assert {upload.status for upload in uploads} <= {MODES[mode], 409}
    assert {upload.id for upload in [*uploads, again] if upload.accepted} == {again.id}
    assert len(rows(cluster)) == before + 1


def test_without_redis_a_file_is_accepted_at_once_and_stored_later(cluster: Cluster) -> None:
    cluster.kill("redis")
    upload = cluster.client.upload("celery", os.urandom(SMALL), seconds=3)
    assert upload.status == 202
    cluster.start("redis")

    ends_as(cluster, upload, "COMPLETE")


@pytest.mark.faults
def test_a_stopping_process_requeues_files_in_flight(cluster: Cluster) -> None:
    """The storage hangs for longer than SHUTDOWN_TIMEOUT."""
    slow = cluster.proxy.inject("put_object", "stall")
    upload = cluster.client.upload("async", os.urandom(SMALL))
    wait_until(lambda: slow.triggered)
    pids = sessions.members(cluster.running["web"].pid)
    cluster.stop("web", 10)

    assert (row(cluster, upload.id).upload_status, row(cluster, upload.id).error) == ("PENDING", "server-stopped")
    assert [pid for pid in pids if not sessions.has_ended(pid)] == []
    assert cluster.spooled() == [upload.id]


def test_the_row_is_committed_before_a_byte_leaves(cluster: Cluster) -> None:
    """So that objects left by a crash can be distinguished from those in use."""
    slow = cluster.proxy.inject("put_object", "stall")
    sending = in_background(cluster.client.upload, "normal", os.urandom(SMALL))
    wait_until(lambda: slow.triggered)
    found = requests.get(f"{cluster.client.url}/files?limit=1", timeout=30).json()["files"][0]
    slow.released.set()

    assert found["status"] == "PROCESSING"
    assert found["id"] == sending.result(20).id
