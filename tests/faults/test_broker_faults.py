"""Redis that dies, forgets, is full, freezes, or cuts its connections. It carries hints and bytes on their way only."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from config import Config
from tests.faults.checker import wait
from tests.faults.looking import ends_as, is_now
from tests.faults.world import World

pytestmark = pytest.mark.faults

SMALL, LARGE = 100_000, 9 << 20


@contextmanager
def talking_to_redis(world: World) -> Iterator[redis.Redis]:
    client = redis.Redis(port=world.ports.redis)
    try:
        yield client
    finally:
        client.close()


@pytest.mark.parametrize("forgets", [False, True])
def test_a_redis_that_dies_loses_no_file(world: World, forgets: bool) -> None:
    """F13: with or without its memory, while tasks wait in it."""
    world.stop("worker")
    uploads = [world.client.upload("celery", os.urandom(size)) for size in (SMALL, SMALL, LARGE)]
    with talking_to_redis(world) as client:
        redis_ = Config.from_env({**world.env, "FERRY_DATA": str(world.data)}).redis
        wait(
            lambda: client.llen(redis_.key(redis_.queue)) >= 3
        )  # More where the sweep has handed one out again meanwhile.
    world.kill("redis")
    if forgets:
        shutil.rmtree(world.data / "redis")
    world.start("redis")
    world.start("worker")

    for upload in uploads:
        ends_as(world, upload, "COMPLETE", 30)


def test_a_full_redis_delays_a_file(world: World) -> None:
    """F14."""
    with talking_to_redis(world) as client:
        client.config_set("maxmemory", "1mb")
        try:
            uploads = [world.client.upload("celery", os.urandom(size), seconds=5) for size in (200_000, LARGE)]
            assert [upload.status for upload in uploads] == [202, 202]
        finally:
            client.config_set("maxmemory", "512mb")

    for upload in uploads:
        ends_as(world, upload, "COMPLETE", 30)


def test_a_redis_that_refuses_to_write_delays_a_file(world: World) -> None:
    """As it does when its disk is full, or its primary has failed over. The worker outlasts it."""
    with talking_to_redis(world) as client:
        client.config_set("min-replicas-to-write", 1)
        try:
            upload = world.client.upload("celery", os.urandom(SMALL))
            time.sleep(5)
        finally:
            client.config_set("min-replicas-to-write", 0)

    ends_as(world, upload, "COMPLETE", 30)
    assert world.running["worker"].ended is None


def test_a_redis_that_does_not_answer_delays_a_file(world: World) -> None:
    """F15: it takes connections, and says nothing. The other ways to upload do not notice."""
    world.freeze("redis")
    began = time.monotonic()
    uploads = [world.client.upload(mode, os.urandom(SMALL)) for mode in ("celery", "celery", "async", "normal")]
    seconds = time.monotonic() - began
    ends_as(world, uploads[2], "COMPLETE", 10)
    world.thaw("redis")

    assert [upload.status for upload in uploads] == [202, 202, 202, 201]
    assert seconds < 3
    for upload in uploads:
        ends_as(world, upload, "COMPLETE", 40)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_worker_that_loses_its_connection_does_the_file_once(world: World, size: int) -> None:
    """F19: Redis lives, but every connection is cut while a task runs."""
    slow = world.proxy.inject("put_object" if size == SMALL else "upload_part", "stall")
    upload = world.client.upload("celery", os.urandom(size))
    wait(lambda: slow.struck)
    with talking_to_redis(world) as client:
        client.client_kill_filter(_type="normal")
    slow.released.set()

    ends_as(world, upload, "COMPLETE", 30)


def test_a_redis_that_dies_between_two_pieces_delays_a_file(world: World) -> None:
    slow = world.proxy.inject("upload_part", "stall")
    upload = world.client.upload("celery", os.urandom(40 << 20))
    wait(lambda: slow.struck)
    world.kill("redis")
    world.start("redis")
    slow.released.set()

    ends_as(world, upload, "COMPLETE", 45)


def test_without_a_worker_a_file_waits(world: World) -> None:
    world.stop("worker")
    upload = world.client.upload("celery", os.urandom(SMALL))
    seen = world.proxy.seen("list_uploads")
    world.proxy.wait_for("list_uploads", seen + 4)
    assert is_now(world, upload, "PENDING")
    world.start("worker")

    ends_as(world, upload, "COMPLETE")
