"""Redis is killed, loses its data, is full or frozen, or cuts its connections. It holds no state that must survive."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from config import Config
from dev.polling import wait_until
from tests.faults.cluster import Cluster
from tests.faults.inspection import ends_as, has_status

pytestmark = pytest.mark.faults

SMALL, LARGE = 100_000, 9 << 20


@contextmanager
def talking_to_redis(cluster: Cluster) -> Iterator[redis.Redis]:
    client = redis.Redis(port=cluster.ports.redis)
    try:
        yield client
    finally:
        client.close()


@pytest.mark.parametrize("forgets", [False, True])
def test_a_redis_that_dies_loses_no_file(cluster: Cluster, forgets: bool) -> None:
    """With and without its data, while tasks are queued."""
    cluster.stop("worker")
    uploads = [cluster.client.upload("celery", os.urandom(size)) for size in (SMALL, SMALL, LARGE)]
    with talking_to_redis(cluster) as client:
        redis_ = Config.from_env({**cluster.env, "FERRY_DATA": str(cluster.data)}).redis
        wait_until(
            lambda: client.llen(redis_.key(redis_.queue)) >= 3
        )  # More if the sweep has dispatched one again meanwhile.
    cluster.kill("redis")
    if forgets:
        shutil.rmtree(cluster.data / "redis")
    cluster.start("redis")
    cluster.start("worker")

    for upload in uploads:
        ends_as(cluster, upload, "COMPLETE", 30)


def test_a_full_redis_delays_a_file(cluster: Cluster) -> None:
    with talking_to_redis(cluster) as client:
        client.config_set("maxmemory", "1mb")
        try:
            uploads = [cluster.client.upload("celery", os.urandom(size), seconds=5) for size in (200_000, LARGE)]
            assert [upload.status for upload in uploads] == [202, 202]
        finally:
            client.config_set("maxmemory", "512mb")

    for upload in uploads:
        ends_as(cluster, upload, "COMPLETE", 30)


def test_a_redis_that_refuses_to_write_delays_a_file(cluster: Cluster) -> None:
    """As with a full disk, or after a failover of its primary. The worker survives it."""
    with talking_to_redis(cluster) as client:
        client.config_set("min-replicas-to-write", 1)
        try:
            upload = cluster.client.upload("celery", os.urandom(SMALL))
            time.sleep(5)
        finally:
            client.config_set("min-replicas-to-write", 0)

    ends_as(cluster, upload, "COMPLETE", 30)
    assert cluster.running["worker"].ended is None


def test_a_redis_that_does_not_answer_delays_a_file(cluster: Cluster) -> None:
    """It accepts connections and does not respond. The other modes are not affected."""
    cluster.freeze("redis")
    began = time.monotonic()
    uploads = [cluster.client.upload(mode, os.urandom(SMALL)) for mode in ("celery", "celery", "async", "normal")]
    seconds = time.monotonic() - began
    ends_as(cluster, uploads[2], "COMPLETE", 10)
    cluster.thaw("redis")

    assert [upload.status for upload in uploads] == [202, 202, 202, 201]
    assert seconds < 3
    for upload in uploads:
        ends_as(cluster, upload, "COMPLETE", 40)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_worker_that_loses_its_connection_stores_the_file_once(cluster: Cluster, size: int) -> None:
    """Redis runs, but every connection is cut during a task."""
    slow = cluster.proxy.inject("put_object" if size == SMALL else "upload_part", "stall")
    upload = cluster.client.upload("celery", os.urandom(size))
    wait_until(lambda: slow.triggered)
    with talking_to_redis(cluster) as client:
        client.client_kill_filter(_type="normal")
    slow.released.set()

    ends_as(cluster, upload, "COMPLETE", 30)


def test_a_redis_that_dies_between_two_pieces_delays_a_file(cluster: Cluster) -> None:
    slow = cluster.proxy.inject("upload_part", "stall")
    upload = cluster.client.upload("celery", os.urandom(40 << 20))
    wait_until(lambda: slow.triggered)
    cluster.kill("redis")
    cluster.start("redis")
    slow.released.set()

    ends_as(cluster, upload, "COMPLETE", 45)


def test_without_a_worker_a_file_waits(cluster: Cluster) -> None:
    cluster.stop("worker")
    upload = cluster.client.upload("celery", os.urandom(SMALL))
    seen = cluster.proxy.seen("list_uploads")
    cluster.proxy.wait_for("list_uploads", seen + 4)
    assert has_status(cluster, upload, "PENDING")
    cluster.start("worker")

    ends_as(cluster, upload, "COMPLETE")
