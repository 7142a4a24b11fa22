"""Crashes at every step of a file's life: all failpoints, in every mode in which they are passed, in four ways.

The cases of one mode and one way share a world and are settled together: while one file recovers, the next one's
holder dies. A file that comes again may be the one that is struck; so much the better.
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from typing import Any

import pytest

from tests.faults import checker
from tests.faults.checker import wait
from tests.faults.client import MODES, Upload
from tests.faults.cluster import Cluster
from tests.faults.cluster_pool import ClusterPool
from tests.faults.failpoints import ACTIONS, POINTS
from tests.faults.inspection import later

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
    finally:
        cluster.client.malformed[:] = []
        cluster_pool.give_back(cluster, 60)
    counts = checker.settle(cluster, 5).summary
    accepted = sum(upload.accepted for upload in uploads)

    assert counts["complete"] + counts["error"] == counts["accepted"]
    assert all(_is_well(cluster, upload) for upload in uploads), f"{accepted} of {len(uploads)} were accepted"


def crashed(cluster: Cluster, mode: str, point: str, action: str) -> Future[Upload]:
    """An upload during which somebody dies at this point, once that has happened."""
    where = "worker" if mode == "celery" and point not in _IN_WEB else "web"
    alive = set(cluster.children(where))
    cluster.fail(point, action)
    sending = send(cluster, mode, point)
    wait(lambda: cluster.triggered() or sending.done(), 20, f"{mode} {point}")
    if not cluster.triggered():
        # Its server was still dying of the case before.
        sending = send(cluster, mode, point)
    wait(cluster.triggered, 20, f"{mode} {point} {sending}")
    if action == "hang":
        # Nobody but a stranger ends a process that holds its file for ever.
        cluster.restart(where)
    if action == "kill9":
        # Its place is taken at once; whoever comes before that is not answered.
        wait(lambda: set(cluster.children(where)) - alive, 15, f"a new process after {point}")
    return sending


def send(cluster: Cluster, mode: str, point: str) -> Future[Upload]:
    return later(cluster.client.upload, mode, os.urandom(LARGE if point in _OF_PARTS else SMALL), seconds=30)


def _is_well(cluster: Cluster, upload: Upload) -> bool:
    """What was accepted is COMPLETE: every one of these crashes happens once, and passes."""
    found = cluster.client.file(upload.id or "") if upload.accepted else None
    return found is None or found["status"] == "COMPLETE"
