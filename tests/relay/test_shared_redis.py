"""Several Ferries on one Redis database: tasks and limits are separate."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from queue import Empty

import pytest
import redis
from celery import Celery
from flask import Flask

from app import create_app
from config_types import Rate
from problems import TooManyRequests
from tests.fakes import services_of
from tests.relay.conftest import ID


@pytest.fixture
def two(settings: dict[str, str], valkey: str, tmp_path: Path) -> Iterator[tuple[Flask, Flask]]:
    """Two Ferries with separate databases."""
    redis.Redis.from_url(valkey).flushall()
    apps = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(tmp_path / "ferry.db", tmp_path / name / "ferry.db")
        apps.append(create_app(settings | {"FERRY_DATA": str(tmp_path / name)}))
    yield apps[0], apps[1]
    for app in apps:
        with app.app_context():
            app.extensions["sqlalchemy"].engine.dispose()
        services_of(app).celery.close()
    redis.Redis.from_url(valkey).flushall()


def test_a_task_waits_in_the_queue_of_its_own_ferry(two: tuple[Flask, Flask], valkey: str) -> None:
    one, other = (services_of(app).celery for app in two)
    one.send_task("ferry.upload", (ID, ""))
    client = redis.Redis.from_url(valkey, decode_responses=True)

    assert {key.partition(":")[0] for key in client.keys("*")} == {one.conf.task_default_queue}
    with other.connection_for_read() as connection, pytest.raises(Empty):
        connection.SimpleQueue(other.conf.task_default_queue).get(block=False)
    with Celery(broker=valkey).connection_for_read() as connection, pytest.raises(Empty):
        connection.SimpleQueue("celery").get(block=False)
    with one.connection_for_read() as connection:
        connection.SimpleQueue(one.conf.task_default_queue).get(timeout=5).ack()


def test_a_limit_counts_for_one_ferry_only(two: tuple[Flask, Flask]) -> None:
    passed = [0, 0]
    for number, app in enumerate(two):
        for _ in range(5):
            try:
                services_of(app).rate_limits.hit("read", Rate(3, 3600), "shared")
                passed[number] += 1
            except TooManyRequests:
                pass

    assert passed == [3, 3]


def test_ferries_with_the_same_queue_name_share_it(settings: dict[str, str]) -> None:
    app = create_app(settings | {"CELERY_QUEUE": "mine"})

    assert services_of(app).celery.conf.task_default_queue == "mine"
    assert services_of(app).celery.conf.broker_transport_options["global_keyprefix"] == "mine:"
    assert services_of(app).relay._tasks._queue == "mine:mine"
