"""Restarts of Redis during a stream of uploads: the worker continues, and all files end COMPLETE."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dev.polling import wait_until
from tests.faults.checker import settle
from tests.faults.cluster import Cluster
from tests.faults.inspection import ends_as

pytestmark = pytest.mark.faults

RESTARTS = 3
SECONDS = 90
"""Time from the last upload until all files must be stored."""


@contextmanager
def uploads_all_the_time(cluster: Cluster, size: int, threads: int, pause: float) -> Iterator[None]:
    """Upload in mode `celery` until the block ends."""
    over = threading.Event()

    def send() -> None:
        while not over.wait(pause):
            cluster.client.upload("celery", os.urandom(size))

    senders = [threading.Thread(target=send) for _ in range(threads)]
    for sender in senders:
        sender.start()
    try:
        yield
    finally:
        over.set()
        for sender in senders:
            sender.join()


def away(cluster: Cluster, number: signal.Signals, seconds: float) -> None:
    """Stop Redis, and restart it after a pause."""
    if number == signal.SIGKILL:
        cluster.kill("redis")
    else:
        cluster.stop("redis")
    time.sleep(seconds)
    cluster.start("redis")


@pytest.mark.parametrize("pace", [0, 0.15], ids=["fast", "slow"])
@pytest.mark.parametrize("seconds", [1.5, 5])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_restarts_of_redis_during_uploads_delay_files(
    cluster: Cluster, number: signal.Signals, seconds: float, pace: float
) -> None:
    cluster.proxy.pace = pace
    # At this rate a worker stores some six files a second.
    sent = {"size": 20_000, "threads": 1, "pause": 0.1} if pace else {"size": 200_000, "threads": 3, "pause": 0.05}
    with uploads_all_the_time(cluster, **sent):  # type: ignore[arg-type]
        for _ in range(RESTARTS):
            time.sleep(1.5)
            away(cluster, number, seconds)
        time.sleep(1)

    found = settle(cluster, SECONDS)
    assert found.bad == {}
    assert found.complete == found.accepted == len(cluster.client.uploads) > 50


@pytest.mark.parametrize("seconds", [1.5, 5])
def test_a_worker_takes_tasks_after_redis_was_down_at_their_end(cluster: Cluster, seconds: float) -> None:
    """No acknowledgement succeeds, and no prefetch slot is lost."""
    cluster.proxy.pace = 1.2
    uploads = [cluster.client.upload("celery", os.urandom(20_000)) for _ in range(8)]
    wait_until(lambda: cluster.proxy.seen("put_object") >= 2)
    away(cluster, signal.SIGKILL, seconds)
    cluster.proxy.pace = 0

    for upload in uploads:
        ends_as(cluster, upload, "COMPLETE", 30)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_a_worker_stopped_as_redis_goes_down_exits(cluster: Cluster, number: signal.Signals) -> None:
    """Celery's heartbeat would wait forever for a broker that is down."""
    for _ in range(3):
        pids = [cluster.running["redis"].pid, cluster.running["worker"].pid]
        for pid, signal_ in zip(pids, (number, signal.SIGTERM), strict=True):
            os.kill(pid, signal_)
        wait_until(lambda: cluster.running["worker"].ended is not None, 25, "the end of the worker")
        cluster.restart("redis")
        cluster.restart("worker")
