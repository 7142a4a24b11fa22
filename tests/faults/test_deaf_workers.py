"""A worker that takes no more tasks logs it and exits; a worker without tasks stays."""

from __future__ import annotations

import os
import time

import pytest

from config import Config
from dev.polling import wait_until
from tests.faults.cluster import Cluster
from tests.faults.inspection import ends_as, has_status
from tests.faults.test_broker_faults import talking_to_redis
from tests.harness import sessions

pytestmark = pytest.mark.faults

LEASE = 3
"""As in the cluster's settings: a worker may be deaf for twice as long."""


def tasks_in(cluster: Cluster) -> int:
    options = Config.from_env({**cluster.env, "FERRY_DATA": str(cluster.data)}).redis
    with talking_to_redis(cluster) as client:
        return int(client.llen(options.key(options.queue)))  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["deaf", "hang"])
def test_a_deaf_worker_exits_and_its_successor_stores_the_files(cluster: Cluster, way: str) -> None:
    """Connected but takes no task, or its main thread hangs."""
    process = cluster.running["worker"]
    children = cluster.children("worker")
    cluster.deaf.write_text(way)
    began = time.monotonic()
    uploads = [cluster.client.upload("celery", os.urandom(1000)) for _ in range(3)]
    wait_until(lambda: process.ended is not None, 40, "the end of the worker")

    assert process.ended == 1
    assert time.monotonic() - began > 2 * LEASE
    assert "worker.stalled: " in cluster.log("worker").read_text()
    wait_until(lambda: all(map(sessions.has_ended, children)), what="the end of its children")
    assert all(has_status(cluster, upload, "PENDING") for upload in uploads)
    cluster.deaf.unlink()
    cluster.restart("worker")
    for upload in uploads:
        ends_as(cluster, upload, "COMPLETE")


def test_a_worker_without_tasks_stays(cluster: Cluster) -> None:
    """Its files wait for a stopped web process, then for Redis: a restarted worker would not help."""
    pid = cluster.running["worker"].pid
    cluster.client.upload("celery", os.urandom(1000))
    wait_until(lambda: tasks_in(cluster) == 0)
    cluster.freeze("redis")
    upload = cluster.client.upload("celery", os.urandom(1000))
    time.sleep(4 * LEASE)
    cluster.thaw("redis")

    ends_as(cluster, upload, "COMPLETE", 40)
    assert (cluster.running["worker"].pid, cluster.running["worker"].ended) == (pid, None)


def test_a_busy_worker_is_not_deaf(cluster: Cluster) -> None:
    """Tasks are queued while its children are busy."""
    slow = cluster.proxy.inject("put_object", "stall", times=2)
    uploads = [cluster.client.upload("celery", os.urandom(1000)) for _ in range(6)]
    wait_until(lambda: slow.triggered == 2)
    time.sleep(4 * LEASE)
    assert cluster.running["worker"].ended is None
    slow.released.set()

    for upload in uploads:
        ends_as(cluster, upload, "COMPLETE", 40)


def test_tasks_of_waiting_files_do_not_pile_up_and_are_not_lost(cluster: Cluster) -> None:
    """Without a worker each file has one task, and gets another soon after Redis lost its data."""
    cluster.stop("worker")
    uploads = [cluster.client.upload("celery", os.urandom(1000)) for _ in range(20)]
    wait_until(lambda: tasks_in(cluster) == 20)
    time.sleep(5 * LEASE)
    # Two files queued at the same moment may be swapped; the first then gets a second task.
    assert tasks_in(cluster) in (20, 21)
    with talking_to_redis(cluster) as client:
        client.flushall()
    wait_until(lambda: tasks_in(cluster) >= 20, 30)
    cluster.start("worker")

    for upload in uploads:
        ends_as(cluster, upload, "COMPLETE")
