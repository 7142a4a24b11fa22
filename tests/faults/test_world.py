"""The world does what a fault test asks of it, and leaves nothing running."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults import programs, sessions
from tests.faults.world import World

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module", params=["sqlite-rclone", "postgres-moto"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    database, s3 = request.param.split("-")
    options: Any = {"database": database, "s3": {"rclone": programs.s3, "moto": programs.moto}[s3], "workers": 2}
    with World(tmp_path_factory.mktemp(database), **options) as world:
        yield world
        pids = [pid for process in world.running.values() for pid in sessions.members(process.pid)]
    assert len(pids) >= 10
    assert [pid for pid in pids if not sessions.has_ended(pid)] == []


def wait(done: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_files_go_through_the_proxy_and_are_found_behind_it(world: World, mode: str) -> None:
    upload = world.client.upload(mode, os.urandom(6_000_000))
    assert upload.id

    wait(lambda: (world.client.file(upload.id or "") or {})["status"] == "COMPLETE")
    s3 = world.s3()
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="ferry")["Contents"]]
    s3.close()

    assert len([key for key in keys if upload.id in key]) == 1
    assert world.proxy.seen("complete_multipart") > 0


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_killed_child_is_replaced(world: World, name: str) -> None:
    before = world.children(name)
    killed = world.kill_child(name)

    assert killed in before
    wait(lambda: len(world.children(name)) == len(before) and killed not in world.children(name))


@pytest.mark.parametrize("name", ["s3", "redis", "database", "web", "worker2"])
def test_what_is_killed_comes_back(world: World, name: str) -> None:
    if name not in world.running:
        pytest.skip("SQLite is no process")
    pids = sessions.members(world.running[name].pid)
    world.kill(name)
    assert [pid for pid in pids if not sessions.has_ended(pid)] == []
    world.start(name)

    if name == "s3" and world._s3 == "rclone":
        assert world.client.upload("normal", b"x").status == 201


def test_what_is_frozen_is_silent_until_it_is_thawed(world: World) -> None:
    name = "database" if "database" in world.running else "s3"
    world.freeze(name)
    try:
        assert world.client.upload("normal", b"x", seconds=1).status == 0
        assert len(world.client.rude) == 1
    finally:
        world.thaw(name)
        world.client.rude.clear()

    assert world.client.upload("normal", b"x").status == 201


def test_a_failpoint_strikes_once(world: World) -> None:
    before = world.children("web")
    world.fail("row_committed", "kill9")

    assert world.client.upload("async", b"x").status == 0
    assert world.struck()
    # A killed process counts as running until its last thread has ended.
    wait(lambda: len(set(world.children("web")) - set(before)) == 1)
    assert len(world.children("web")) == len(before)
    assert world.client.upload("normal", b"x").status == 201


def test_the_workers_failpoints_strike_in_the_worker(world: World) -> None:
    world.fail("claimed", "raise")

    world.client.upload("celery", b"x")

    wait(world.struck)
    wait(lambda: "a failpoint was struck" in (world.log("worker").read_text() + world.log("worker2").read_text()))
