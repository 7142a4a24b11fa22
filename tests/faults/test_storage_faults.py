"""A storage that is slow, busy or down, or whose responses are lost."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from dev.polling import wait_until
from storage.s3.connection import SILENCE_SECONDS
from tests.faults.client import MODES
from tests.faults.cluster import Cluster
from tests.faults.inspection import bodies_sent, ends_as, has_status, in_background, objects, row

pytestmark = pytest.mark.faults

SMALL, LARGE = 100_000, 9 << 20
WHOLE, PARTS = ("put_object", SMALL), ("upload_part", LARGE)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("operation", "size"), [WHOLE, PARTS])
def test_a_busy_storage_costs_no_attempt(cluster: Cluster, mode: str, operation: str, size: int) -> None:
    busy = cluster.proxy.inject(operation, "status", times=3)
    upload = cluster.client.upload(mode, os.urandom(size))

    assert ends_as(cluster, upload, "COMPLETE").attempt == 1
    assert busy.triggered == 3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["reset", "lost_reply"])
@pytest.mark.parametrize(("operation", "size"), [WHOLE, PARTS])
def test_a_lost_connection_costs_no_attempt(cluster: Cluster, mode: str, kind: Any, operation: str, size: int) -> None:
    """Also if the storage has done its work, and only the response is lost."""
    cluster.proxy.inject(operation, kind, after=5000)
    upload = cluster.client.upload(mode, os.urandom(size))

    assert ends_as(cluster, upload, "COMPLETE").attempt == 1
    assert len(objects(cluster, upload.id or "")) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_complete_whose_answer_is_lost_is_verified_by_head(cluster: Cluster, mode: str) -> None:
    """Asked again, the storage answers NoSuchUpload."""
    before = bodies_sent(cluster)
    cluster.proxy.inject("complete_multipart", "lost_reply")
    upload = cluster.client.upload(mode, os.urandom(LARGE))

    assert ends_as(cluster, upload, "COMPLETE").attempt == 1
    assert bodies_sent(cluster) == before + 2


def test_a_complete_may_take_longer_than_a_part(cluster: Cluster) -> None:
    """The storage may assemble the object for minutes: nothing is sent again, and nothing aborted."""
    sent, aborted = bodies_sent(cluster), cluster.proxy.seen("abort_multipart")
    slow = cluster.proxy.inject("complete_multipart", "stall", times=2)
    sending = [in_background(cluster.client.upload, mode, os.urandom(LARGE)) for mode in ("normal", "async")]
    wait_until(lambda: slow.triggered == 2)
    time.sleep(1.2 * SILENCE_SECONDS)
    slow.released.set()

    for upload in sending:
        assert ends_as(cluster, upload.result(20), "COMPLETE").attempt == 1
    assert (bodies_sent(cluster), cluster.proxy.seen("abort_multipart")) == (sent + 4, aborted)


def test_a_complete_that_fails_with_status_200_is_repeated(cluster: Cluster) -> None:
    fault = cluster.proxy.inject("complete_multipart", "err200", code="InternalError")

    assert ends_as(cluster, cluster.client.upload("async", os.urandom(LARGE)), "COMPLETE").attempt == 1
    assert fault.triggered == 1


@pytest.mark.parametrize("mode", ["async", "celery"])
@pytest.mark.parametrize(("operation", "size"), [WHOLE, PARTS])
def test_a_storage_that_fails_for_long_delays_a_file(cluster: Cluster, mode: str, operation: str, size: int) -> None:
    """The abort of the multipart upload fails too; the sweep does it later."""
    cluster.proxy.inject("abort_multipart", "status", times=None)
    cluster.proxy.inject(operation, "status", times=None)
    upload = cluster.client.upload(mode, os.urandom(size))
    wait_until(lambda: row(cluster, upload.id).error == "storage-unavailable")
    cluster.proxy.heal()

    assert ends_as(cluster, upload, "COMPLETE").attempt >= 2


@pytest.mark.parametrize("kind", ["status", "reset"])
def test_a_storage_failure_is_answered_to_a_waiting_client(cluster: Cluster, kind: Any) -> None:
    """In normal mode: 503 with Retry-After, and nothing is left."""
    cluster.proxy.inject("upload_part", kind, times=None)
    upload = cluster.client.upload("normal", os.urandom(LARGE))

    assert (upload.status, upload.slug) == (503, "storage-unavailable")


def test_a_storage_that_never_answers_ends_an_attempt(cluster: Cluster) -> None:
    """After half a minute the same attempt retries."""
    fault = cluster.proxy.inject("put_object", "hang")
    upload = cluster.client.upload("async", os.urandom(SMALL))

    assert ends_as(cluster, upload, "COMPLETE", 50).attempt == 1
    assert fault.triggered == 1


@pytest.mark.parametrize("mode", ["async", "celery"])
def test_a_storage_that_is_down_delays_a_file(cluster: Cluster, mode: str) -> None:
    cluster.kill("s3")
    upload = cluster.client.upload(mode, os.urandom(SMALL))
    wait_until(lambda: row(cluster, upload.id).error is not None)
    assert has_status(cluster, upload, "PENDING") or has_status(cluster, upload, "PROCESSING")
    cluster.start("s3")

    ends_as(cluster, upload, "COMPLETE")


@pytest.mark.parametrize("mode", MODES)
def test_a_refusal_by_the_storage_ends_a_file_at_once(cluster: Cluster, mode: str) -> None:
    """Missing permissions are permanent: no second attempt."""
    cluster.proxy.inject("put_object", "status", status=403, code="AccessDenied")
    upload = cluster.client.upload(mode, os.urandom(SMALL))

    if mode == "normal":
        assert upload.slug == "storage-denied"
    else:
        found = ends_as(cluster, upload, "ERROR")
        assert (found.error, found.attempt) == ("storage-denied", 1)


def test_a_storage_outage_during_many_uploads_loses_no_file(cluster: Cluster) -> None:
    """Every open connection is reset during eight uploads."""
    slow = cluster.proxy.inject("upload_part", "stall", times=8)
    sending = [in_background(cluster.client.upload, "async", os.urandom(LARGE)) for _ in range(8)]
    wait_until(lambda: slow.triggered >= 4)
    cluster.proxy.cut()
    slow.released.set()

    for upload in sending:
        ends_as(cluster, upload.result(20), "COMPLETE", 30)
