"""A database that is away, frozen or locked: when a request comes, while a file is on its way, at its end."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any

import pytest
import requests

from tests.faults.checker import wait
from tests.faults.client import MODES
from tests.faults.looking import bodies_sent, ends_as, later, problem
from tests.faults.world import World

SMALL, LARGE = 100_000, 9 << 20


@pytest.mark.parametrize("mode", ["normal", pytest.param("async", marks=pytest.mark.faults)])
def test_a_database_that_dies_during_an_upload_is_waited_for(postgres_world: World, mode: str) -> None:
    """F30: the file is stored once, and in normal mode the client hears so."""
    world, before = postgres_world, bodies_sent(postgres_world)
    slow = world.proxy.inject("put_object", "stall")
    looks = world.proxy.seen("head_object")
    sending = later(world.client.upload, mode, os.urandom(SMALL))
    wait(lambda: slow.struck)
    world.kill("database")
    slow.released.set()
    world.proxy.wait_for("head_object", looks + 1)
    time.sleep(0.3)  # The end of the attempt finds no database.
    world.start("database")

    assert ends_as(world, sending.result(20), "COMPLETE").attempt == 1
    assert bodies_sent(world) == before + 1


@pytest.mark.faults
@pytest.mark.parametrize("mode", ["async", "celery"])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_database_that_is_frozen_during_an_upload_is_waited_for(postgres_world: World, mode: str, size: int) -> None:
    """F30: for longer than the lease. The connections stay open, and nobody answers on them."""
    world = postgres_world
    slow = world.proxy.inject("put_object" if size == SMALL else "upload_part", "stall")
    upload = world.client.upload(mode, os.urandom(size))
    wait(lambda: slow.struck)
    world.freeze("database")
    slow.released.set()
    time.sleep(5)
    world.thaw("database")

    ends_as(world, upload, "COMPLETE", 40)


@pytest.mark.faults
def test_without_a_database_nothing_is_accepted(postgres_world: World) -> None:
    """F31: 503 in time, and nothing is written."""
    world, before = postgres_world, bodies_sent(postgres_world)
    world.kill("database")
    uploads = [world.client.upload(mode, os.urandom(SMALL), seconds=15) for mode in MODES]
    ready = requests.get(f"{world.client.url}/healthz/ready", timeout=15)
    alive = requests.get(f"{world.client.url}/healthz", timeout=5)
    spooled = world.spooled()
    world.start("database")

    assert {(upload.status, upload.slug) for upload in uploads} == {(503, "database-unavailable")}
    assert problem(ready) == (503, "database-unavailable")
    assert alive.status_code == 200
    assert (spooled, bodies_sent(world)) == ([], before)


@pytest.mark.faults
def test_a_frozen_database_costs_seconds(postgres_world: World) -> None:
    """F31."""
    world = postgres_world
    world.freeze("database")
    uploads = [later(world.client.upload, mode, os.urandom(SMALL), seconds=30) for mode in MODES]
    answers = [upload.result(40) for upload in uploads]
    world.thaw("database")

    assert {(upload.status, upload.slug) for upload in answers} == {(503, "database-unavailable")}


@pytest.mark.faults
def test_a_database_that_was_restarted_costs_no_request(postgres_world: World) -> None:
    """F30: the pooled connections of every process have died."""
    world = postgres_world
    world.restart("database")
    uploads = [world.client.upload(mode, os.urandom(SMALL)) for mode in MODES for _ in range(4)]

    assert {(upload.mode, upload.status) for upload in uploads} == set(MODES.items())


@pytest.mark.faults
def test_many_writers_wait_for_each_other(either_world: World) -> None:
    """F32, F7: no request fails because others write."""
    world = either_world
    uploads = [later(world.client.upload, mode, os.urandom(1000)) for mode in MODES for _ in range(60)]
    answers = [upload.result(60) for upload in uploads]

    assert {(upload.mode, upload.status) for upload in answers} == set(MODES.items())
    for upload in answers:
        ends_as(world, upload, "COMPLETE", 60)


@pytest.mark.faults
@pytest.mark.parametrize("mode", MODES)
def test_a_locked_database_is_waited_for(world: World, mode: str) -> None:
    """F32: another program holds SQLite's write lock while a file ends."""
    slow = world.proxy.inject("put_object", "stall")
    sending: Any = later(world.client.upload, mode, os.urandom(SMALL))
    wait(lambda: slow.struck)
    other = sqlite3.connect(world.data / "ferry.db", timeout=10, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    slow.released.set()
    time.sleep(2)
    other.execute("ROLLBACK")
    other.close()

    assert ends_as(world, sending.result(30), "COMPLETE", 30).attempt == 1
