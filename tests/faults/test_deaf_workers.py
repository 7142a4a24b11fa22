"""A worker that takes no task any more, in whatever way, says so and ends; one that has nothing to take stays."""

from __future__ import annotations

import os
import time

import pytest

from config import Config
from tests.faults import sessions
from tests.faults.checker import wait
from tests.faults.looking import ends_as, is_now
from tests.faults.test_broker_faults import talking_to_redis
from tests.faults.world import World

pytestmark = pytest.mark.faults

LEASE = 3
"""That of the world's settings: a worker may be deaf for twice as long."""


def tasks_in(world: World) -> int:
    options = Config.from_env({**world.env, "FERRY_DATA": str(world.data)}).redis
    with talking_to_redis(world) as client:
        return int(client.llen(options.key(options.queue)))  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["deaf", "hang"])
def test_a_deaf_worker_ends_and_the_next_stores_its_files(world: World, way: str) -> None:
    """F23: its connection stands and it takes nothing; or its main thread does nothing at all any more."""
    process = world.running["worker"]
    children = world.children("worker")
    world.deaf.write_text(way)
    began = time.monotonic()
    uploads = [world.client.upload("celery", os.urandom(1000)) for _ in range(3)]
    wait(lambda: process.ended is not None, 40, "the end of the worker")

    assert process.ended == 1
    assert time.monotonic() - began > 2 * LEASE
    assert "worker.stalled: " in world.log("worker").read_text()
    wait(lambda: all(map(sessions.has_ended, children)), what="the end of its children")
    assert all(is_now(world, upload, "PENDING") for upload in uploads)
    world.deaf.unlink()
    world.restart("worker")
    for upload in uploads:
        ends_as(world, upload, "COMPLETE")


def test_a_worker_that_has_nothing_to_take_stays(world: World) -> None:
    """Its files wait for a web process that is gone, then for Redis: neither is the worker's to mend."""
    pid = world.running["worker"].pid
    world.client.upload("celery", os.urandom(1000))
    wait(lambda: tasks_in(world) == 0)
    world.freeze("redis")
    upload = world.client.upload("celery", os.urandom(1000))
    time.sleep(4 * LEASE)
    world.thaw("redis")

    ends_as(world, upload, "COMPLETE", 40)
    assert (world.running["worker"].pid, world.running["worker"].ended) == (pid, None)


def test_a_worker_that_works_is_not_deaf(world: World) -> None:
    """Tasks wait for as long as its children are busy."""
    slow = world.proxy.inject("put_object", "stall", times=2)
    uploads = [world.client.upload("celery", os.urandom(1000)) for _ in range(6)]
    wait(lambda: slow.struck == 2)
    time.sleep(4 * LEASE)
    assert world.running["worker"].ended is None
    slow.released.set()

    for upload in uploads:
        ends_as(world, upload, "COMPLETE", 40)


def test_tasks_of_waiting_files_do_not_pile_up_and_are_not_lost(world: World) -> None:
    """Without a worker each file has one task; and has one again soon after Redis has forgotten all."""
    world.stop("worker")
    uploads = [world.client.upload("celery", os.urandom(1000)) for _ in range(20)]
    wait(lambda: tasks_in(world) == 20)
    time.sleep(5 * LEASE)
    # Two that are queued at the same moment may change places, and the first of them get a second task.
    assert tasks_in(world) in (20, 21)
    with talking_to_redis(world) as client:
        client.flushall()
    wait(lambda: tasks_in(world) >= 20, 30)
    world.start("worker")

    for upload in uploads:
        ends_as(world, upload, "COMPLETE")
