"""The cluster obeys fault tests, and leaves no process running."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from dev import parts
from dev.polling import wait_until
from tests.faults.cluster import Cluster
from tests.harness import sessions
from tests.harness.moto import moto

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module", params=["sqlite-rclone", "postgres-moto"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    database, s3 = request.param.split("-")
    options: Any = {"database": database, "s3": {"rclone": parts.s3, "moto": moto}[s3], "workers": 2}
    with Cluster(tmp_path_factory.mktemp(database), **options) as cluster:
        yield cluster
        pids = [pid for process in cluster.running.values() for pid in sessions.members(process.pid)]
    assert len(pids) >= 10
    assert [pid for pid in pids if not sessions.has_ended(pid)] == []


def replaced(before: list[int], now: list[int]) -> set[int]:
    """The processes that have ended and have successors; empty while there are more or fewer than before."""
    return set(before) - set(now) if len(now) == len(before) else set()


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_files_are_stored_through_the_proxy(cluster: Cluster, mode: str) -> None:
    upload = cluster.client.upload(mode, os.urandom(6_000_000))
    assert upload.id

    wait_until(lambda: (cluster.client.file(upload.id or "") or {})["status"] == "COMPLETE")
    s3 = cluster.s3()
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="ferry")["Contents"]]
    s3.close()

    assert len([key for key in keys if upload.id in key]) == 1
    assert cluster.proxy.seen("complete_multipart") > 0


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_killed_child_is_replaced(cluster: Cluster, name: str) -> None:
    before = cluster.children(name)
    killed = cluster.kill_child(name)

    assert killed in before
    wait_until(lambda: replaced(before, cluster.children(name)) == {killed})


@pytest.mark.parametrize("name", ["s3", "redis", "database", "web", "worker2"])
def test_a_killed_part_can_be_restarted(cluster: Cluster, name: str) -> None:
    if name not in cluster.running:
        pytest.skip("SQLite is no process")
    pids = sessions.members(cluster.running[name].pid)
    cluster.kill(name)
    assert [pid for pid in pids if not sessions.has_ended(pid)] == []
    cluster.start(name)

    if name == "s3" and cluster._s3 == "rclone":
        assert cluster.client.upload("normal", b"x").status == 201


def test_a_frozen_part_does_not_respond_until_it_is_thawed(cluster: Cluster) -> None:
    name = "database" if "database" in cluster.running else "s3"
    cluster.freeze(name)
    try:
        assert cluster.client.upload("normal", b"x", seconds=1).status == 0
        assert len(cluster.client.malformed) == 1
    finally:
        cluster.thaw(name)
        cluster.client.malformed.clear()

    assert cluster.client.upload("normal", b"x").status == 201


def test_a_failpoint_acts_once(cluster: Cluster) -> None:
    before = cluster.children("web")
    cluster.fail("row_committed", "kill9")

    assert cluster.client.upload("async", b"x").status == 0
    assert cluster.triggered()
    # A killed process counts as running until its last thread has ended, and its successor may be there before that.
    wait_until(lambda: len(replaced(before, cluster.children("web"))) == 1)
    successors = cluster.children("web")
    assert cluster.client.upload("normal", b"x").status == 201
    assert cluster.children("web") == successors


def test_a_failpoint_of_the_worker_acts_in_the_worker(cluster: Cluster) -> None:
    cluster.fail("claimed", "raise")

    cluster.client.upload("celery", b"x")

    wait_until(cluster.triggered)
    wait_until(
        lambda: "a failpoint was triggered" in (cluster.log("worker").read_text() + cluster.log("worker2").read_text())
    )
