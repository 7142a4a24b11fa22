"""The world does what a fault test asks of it, and leaves nothing running."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults import programs, sessions
from tests.faults.cluster import Cluster

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module", params=["sqlite-rclone", "postgres-moto"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    database, s3 = request.param.split("-")
    options: Any = {"database": database, "s3": {"rclone": programs.s3, "moto": programs.moto}[s3], "workers": 2}
    with Cluster(tmp_path_factory.mktemp(database), **options) as cluster:
        yield cluster
        pids = [pid for process in cluster.running.values() for pid in sessions.members(process.pid)]
    assert len(pids) >= 10
    assert [pid for pid in pids if not sessions.has_ended(pid)] == []


def wait(done: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_files_go_through_the_proxy_and_are_found_behind_it(cluster: Cluster, mode: str) -> None:
    upload = cluster.client.upload(mode, os.urandom(6_000_000))
    assert upload.id

    wait(lambda: (cluster.client.file(upload.id or "") or {})["status"] == "COMPLETE")
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
    wait(lambda: len(cluster.children(name)) == len(before) and killed not in cluster.children(name))


@pytest.mark.parametrize("name", ["s3", "redis", "database", "web", "worker2"])
def test_what_is_killed_comes_back(cluster: Cluster, name: str) -> None:
    if name not in cluster.running:
        pytest.skip("SQLite is no process")
    pids = sessions.members(cluster.running[name].pid)
    cluster.kill(name)
    assert [pid for pid in pids if not sessions.has_ended(pid)] == []
    cluster.start(name)

    if name == "s3" and cluster._s3 == "rclone":
        assert cluster.client.upload("normal", b"x").status == 201


def test_what_is_frozen_is_silent_until_it_is_thawed(cluster: Cluster) -> None:
    name = "database" if "database" in cluster.running else "s3"
    cluster.freeze(name)
    try:
        assert cluster.client.upload("normal", b"x", seconds=1).status == 0
        assert len(cluster.client.malformed) == 1
    finally:
        cluster.thaw(name)
        cluster.client.malformed.clear()

    assert cluster.client.upload("normal", b"x").status == 201


def test_a_failpoint_strikes_once(cluster: Cluster) -> None:
    before = cluster.children("web")
    cluster.fail("row_committed", "kill9")

    assert cluster.client.upload("async", b"x").status == 0
    assert cluster.triggered()
    # A killed process counts as running until its last thread has ended.
    wait(lambda: len(set(cluster.children("web")) - set(before)) == 1)
    assert len(cluster.children("web")) == len(before)
    assert cluster.client.upload("normal", b"x").status == 201


def test_the_workers_failpoints_strike_in_the_worker(cluster: Cluster) -> None:
    cluster.fail("claimed", "raise")

    cluster.client.upload("celery", b"x")

    wait(cluster.triggered)
    wait(
        lambda: "a failpoint was triggered" in (cluster.log("worker").read_text() + cluster.log("worker2").read_text())
    )
