"""Crashes at every step of a file's life: all failpoints, in every mode in which they are passed, in four ways.

The cases of one mode and one action share a cluster and are settled together: one file recovers while the next crash
happens. A crash may hit a file that is being retried, too.
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from typing import Any

import pytest

from dev.polling import wait_until
from tests.faults import checker
from tests.faults.client import MODES, Upload
from tests.faults.cluster import Cluster
from tests.faults.cluster_pool import ClusterPool
from tests.faults.failpoints import ACTIONS, POINTS
from tests.faults.inspection import in_background

pytestmark = pytest.mark.faults

SMALL, LARGE = 10_000, 9 << 20
_OF_PARTS = ("multipart_created", "part_sent", "before_complete", "after_complete")
_IN_WEB = ("spool_fsynced", "row_committed", "enqueued")
_NOT_IN = {
    "normal": ("spool_fsynced", "enqueued", "claimed", "spool_discarded"),
    "async": ("enqueued",),
    "celery": (),
}


def points_of(mode: str) -> list[str]:
    """The failpoints that a file of this mode passes."""
    return [point for point in POINTS if point not in _NOT_IN[mode]]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("mode", MODES)
def test_a_crash_at_any_step_loses_nothing(cluster_pool: ClusterPool, mode: str, action: str) -> None:
    cluster: Any = cluster_pool.take("sqlite")
    try:
        sending = [crashed(cluster, mode, point, action) for point in points_of(mode)]
        uploads = [upload.result(30) for upload in sending]
        if action == "hang" and mode == "celery":
            # A failpoint meant for the worker may have hit the web service, which completes a file that is stored.
            cluster.restart("web")
    finally:
        cluster.client.malformed[:] = []
        cluster_pool.release(cluster, 60)
    counts = checker.settle(cluster, 5).summary
    accepted = sum(upload.accepted for upload in uploads)

    assert counts["complete"] + counts["error"] == counts["accepted"]
    assert all(_is_well(cluster, upload) for upload in uploads), f"{accepted} of {len(uploads)} were accepted"


def crashed(cluster: Cluster, mode: str, point: str, action: str) -> Future[Upload]:
    """An upload during which a process is killed at this failpoint; returns after that."""
    where = "worker" if mode == "celery" and point not in _IN_WEB else "web"
    alive = set(cluster.children(where))
    cluster.fail(point, action)
    sending = send(cluster, mode, point)
    wait_until(lambda: cluster.triggered() or sending.done(), 20, f"{mode} {point}")
    if not cluster.triggered():
        # Its server was still exiting after the previous case.
        sending = send(cluster, mode, point)
    wait_until(cluster.triggered, 20, f"{mode} {point} {sending}")
    if action == "hang":
        # A process that hangs while it renews its lease is ended from outside only.
        cluster.restart(where)
    if action == "kill9":
        # Its successor starts at once; requests before that get no response.
        wait_until(lambda: set(cluster.children(where)) - alive, 15, f"a new process after {point}")
    return sending


def send(cluster: Cluster, mode: str, point: str) -> Future[Upload]:
    return in_background(cluster.client.upload, mode, os.urandom(LARGE if point in _OF_PARTS else SMALL), seconds=30)


def _is_well(cluster: Cluster, upload: Upload) -> bool:
    """Accepted files are COMPLETE: each of these crashes happens once and is recoverable."""
    found = cluster.client.file(upload.id or "") if upload.accepted else None
    return found is None or found["status"] == "COMPLETE"
