"""Clients that disconnect, stall, retry, or come in large numbers; full and damaged spools; scarce resources."""

from __future__ import annotations

import os
import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import requests

from dev.polling import wait_until
from tests.faults import inspection
from tests.faults.client import MODES
from tests.faults.cluster import Cluster
from tests.faults.inspection import ends_as, in_background, row, rows
from tests.harness.raw_client import RawClient

SMALL, LARGE = 100_000, 9 << 20


@pytest.mark.faults
@pytest.mark.parametrize("damage", ["truncated", "changed", "removed"])
def test_bytes_damaged_in_the_spool_are_never_stored(cluster: Cluster, damage: str) -> None:
    cluster.kill("s3")
    upload = cluster.client.upload("async", os.urandom(SMALL))
    wait_until(lambda: row(cluster, upload.id).error == "storage-unavailable")
    spooled = cluster.data / "spool" / str(upload.id)
    if damage == "removed":
        spooled.unlink()
    else:
        spooled.write_bytes(spooled.read_bytes()[:-1] + (b"" if damage == "truncated" else b"!"))
    cluster.start("s3")

    found = ends_as(cluster, upload, "ERROR", 40)
    assert found.error == ("bytes-lost" if damage == "removed" else "bytes-damaged")


@pytest.mark.faults
@pytest.mark.parametrize("mode", ["async", "celery"])
def test_a_file_whose_request_failed_after_its_row_was_committed_is_stored(cluster: Cluster, mode: str) -> None:
    """The commit looked like a failure. A file with a row has its bytes."""
    cluster.fail("row_committed", "raise")

    assert cluster.client.upload(mode, os.urandom(SMALL)).status == 500
    wait_until(lambda: row(cluster).upload_status == "COMPLETE", 10)
    cluster.client.malformed.clear()


@pytest.mark.faults
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sent", [500, 1 << 20, LARGE - 1])
def test_a_client_that_resets_its_connection_leaves_nothing(cluster: Cluster, mode: str, sent: int) -> None:
    """Before there is a row, and before and after the first part is sent."""
    before = len(rows(cluster))
    has_row = mode == "normal" and sent > 500
    with RawClient(cluster.ports.web) as client:
        client.send(inspection.part_of_upload(mode, LARGE, sent))
        if has_row:
            wait_until(lambda: len(rows(cluster)) > before)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    wait_until(lambda: cluster.spooled() == [])
    if has_row:
        wait_until(lambda: (row(cluster).upload_status, row(cluster).error) == ("ERROR", "client-disconnected"))
    else:
        assert len(rows(cluster)) == before


@pytest.mark.faults
@pytest.mark.parametrize("mode", MODES)
def test_a_disconnected_client_finds_its_file_by_its_key(cluster: Cluster, mode: str) -> None:
    """The response was lost; a repeated request gets the result of the first."""
    key, body = os.urandom(8).hex(), os.urandom(SMALL)
    slow = cluster.proxy.inject("put_object", "stall")
    headers = {"Idempotency-Key": key, "Content-Type": "application/pdf"}
    if mode == "normal":
        with pytest.raises(requests.Timeout):
            requests.post(f"{cluster.client.url}/{mode}_upload?name=a", data=body, headers=headers, timeout=1)
    else:
        requests.post(f"{cluster.client.url}/{mode}_upload?name=a", data=body, headers=headers, timeout=5)
    wait_until(lambda: slow.triggered)
    slow.released.set()
    wait_until(lambda: row(cluster).upload_status == "COMPLETE")
    again = requests.post(f"{cluster.client.url}/{mode}_upload?name=a", data=body, headers=headers, timeout=5)
    other = requests.post(f"{cluster.client.url}/{mode}_upload?name=a", data=body + b"!", headers=headers, timeout=5)

    assert (again.status_code, again.json()["id"]) == (MODES[mode], row(cluster).id)
    assert inspection.problem(other) == (422, "idempotency-key-reused")


@pytest.mark.faults
@pytest.mark.parametrize("mode", ["async", "celery"])
def test_a_retried_request_after_a_crash_makes_one_file(cluster: Cluster, mode: str) -> None:
    """The server was killed between the commit and the response."""
    key, body, before = os.urandom(8).hex(), os.urandom(SMALL), len(rows(cluster))
    cluster.fail("row_committed", "kill9")
    assert cluster.client.upload(mode, body, key=key).status == 0
    again = cluster.client.upload(mode, body, key=key)

    ends_as(cluster, again, "COMPLETE")
    assert len(rows(cluster)) == before + 1


@pytest.mark.faults
def test_three_hundred_concurrent_uploads_are_accepted(cluster: Cluster) -> None:
    sending = [in_background(cluster.client.upload, "async", os.urandom(20_000)) for _ in range(300)]
    uploads = [upload.result(60) for upload in sending]

    assert {upload.status for upload in uploads} <= {202, 503}
    for upload in uploads:
        if upload.accepted:
            ends_as(cluster, upload, "COMPLETE", 60)


@pytest.mark.faults
def test_stalled_clients_do_not_block_others(cluster: Cluster) -> None:
    """Fewer clients than threads."""
    with ExitStack() as stack:
        silent = [stack.enter_context(RawClient(cluster.ports.web)) for _ in range(12)]
        for client in silent[:6]:
            client.send(b"POST /async_upload?name=a HTTP/1.1\r\nHost: f")
        for client in silent[6:]:
            client.send(inspection.part_of_upload("async", 1000, 1))
        assert cluster.client.upload("normal", os.urandom(1000), seconds=10).status == 201


@contextmanager
def limited(cluster: Cluster, what: int, most: int) -> Iterator[None]:
    """Limit a resource of the web processes."""
    pids = cluster.children("web")
    before = [resource.prlimit(pid, what) for pid in pids]
    for pid, (_, highest) in zip(pids, before, strict=True):
        resource.prlimit(pid, what, (most, highest))
    try:
        yield
    finally:
        for pid, limit in zip(pids, before, strict=True):
            if pid in cluster.children("web"):
                resource.prlimit(pid, what, limit)


@pytest.mark.faults
@pytest.mark.parametrize("mode", ["async", "celery"])
def test_a_full_spool_is_reported(cluster: Cluster, mode: str) -> None:
    """Files are limited to 4 MiB, as on a full disk."""
    with limited(cluster, resource.RLIMIT_FSIZE, 4 << 20):
        upload = cluster.client.upload(mode, os.urandom(LARGE))

    assert (upload.status, upload.slug) == (507, "storage-full")
    assert cluster.spooled() == []


@pytest.mark.faults
def test_a_service_out_of_file_descriptors_recovers(cluster: Cluster) -> None:
    """Until then, requests may be refused or get no response."""
    with limited(cluster, resource.RLIMIT_NOFILE, 40):
        sending = [in_background(cluster.client.upload, "async", os.urandom(SMALL), seconds=30) for _ in range(40)]
        uploads = [upload.result(40) for upload in sending]
    cluster.client.malformed[:] = [line for line in cluster.client.malformed if "no answer" not in line]

    assert {upload.status for upload in uploads} <= {0, 202, 500, 503}
