"""A waiting file has one task in the queue, however often it is dispatched, and a new one when that is gone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from flask import Flask
from sqlalchemy import text

import config
from database import engine
from lifecycle import queries, transitions
from models import FileRow
from modes import celery_ as celery_mode
from problems import RelayLost
from services import current_services
from tests.fakes import services_of
from tests.harness.factories import claim, pending_file


class Queue:
    """The app's queue in Redis, and the keys beside it."""

    def __init__(self, client: redis.Redis, key: Callable[..., str], name: str) -> None:
        self.client, self.key, self.name = client, key, key(name)

    def ids(self) -> list[str]:
        """The file ids of the queued tasks, oldest first."""
        found: Any = self.client.lrange(self.name, 0, -1)
        return [json.loads(json.loads(message)["body"])[0][0] for message in reversed(found)]

    def revoke(self) -> None:
        """Lose all tasks, and age their records."""
        self.client.delete(self.name)
        self.client.zunionstore(self.key("queued"), {self.key("queued"): 0.999})


@pytest.fixture
def queue(app: Flask, valkey: str) -> Iterator[Queue]:
    """An empty queue; tasks are queued and not run."""
    services_of(app).celery.conf.task_always_eager = False
    options = config.current().redis
    with redis.Redis.from_url(valkey) as client:
        queue = Queue(client, options.key, options.queue)
        yield queue
        client.delete(queue.name, options.key("queued"), options.key("memory"))


@pytest.mark.parametrize("size", [1, 300_000], ids=["whole", "pieces"])
def test_a_file_that_is_dispatched_again_has_one_task(queue: Queue, size: int) -> None:
    rows = [pending_file("celery", b"x" * size) for _ in range(3)]
    for _ in range(4):
        for row in rows:
            celery_mode.enqueue(row.id)

    assert queue.ids() == [row.id for row in rows]


def test_a_taken_task_allows_the_next_one(queue: Queue) -> None:
    rows = [pending_file("celery") for _ in range(3)]
    for row in rows:
        celery_mode.enqueue(row.id)
    queue.client.rpop(queue.name)
    for row in rows:
        celery_mode.enqueue(row.id)

    assert queue.ids() == [rows[1].id, rows[2].id, rows[0].id]


@pytest.mark.parametrize("lost", [[], ["queued"]], ids=["queue", "everything"])
def test_a_queue_lost_by_redis_is_refilled(queue: Queue, lost: list[str]) -> None:
    rows = [pending_file("celery") for _ in range(3)]
    for row in rows:
        celery_mode.enqueue(row.id)
    queue.revoke()
    queue.client.delete("", *map(queue.key, lost))
    for row in rows:
        celery_mode.enqueue(row.id)

    assert queue.ids() == [row.id for row in rows]


@pytest.mark.parametrize("oldest", [b"no JSON", b"[]", b"{}", b'{"headers": []}', b'{"headers": {"ferry_turn": "9"}}'])
def test_a_message_without_a_turn_only_delays_the_next_task(queue: Queue, oldest: bytes) -> None:
    """A message of another program hides the turns of the tasks behind it until it is taken."""
    row = pending_file("celery")
    queue.client.rpush(queue.name, oldest)
    celery_mode.enqueue(row.id)
    celery_mode.enqueue(row.id)
    assert queue.client.llen(queue.name) == 2
    queue.revoke()
    celery_mode.enqueue(row.id)

    assert queue.ids() == [row.id]


def test_a_reserved_task_is_not_lost_while_the_queue_is_empty(queue: Queue) -> None:
    ids = ["one", "two", "three"]

    assert None not in [current_services().relay.mark_task_queued(id) for id in ids]
    assert [current_services().relay.mark_task_queued(id) for id in ids] == [None] * 3


def test_a_task_that_could_not_be_queued_leaves_no_turn(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    first, row = pending_file("celery"), pending_file("celery")
    celery_mode.enqueue(first.id)

    def unreachable(*_: Any) -> None:
        raise RelayLost

    with monkeypatch.context() as patch:
        patch.setattr(celery_mode, "_queue", unreachable)
        with pytest.raises(RelayLost):
            celery_mode.enqueue(row.id)
    celery_mode.enqueue(row.id)

    assert queue.ids() == [first.id, row.id]


class TestRecall:
    """The tasks of waiting files are lost if the queue is empty or Redis lost its data."""

    @pytest.fixture
    def waiting(self, queue: Queue) -> FileRow:
        """A file that has waited for an hour, and is due again in an hour."""
        row = pending_file("celery")
        engine.execute(text("UPDATE files SET updated_at = updated_at - 3600, due_at = due_at + 3600"))
        return row

    def is_due(self, row: FileRow) -> bool:
        found = queries.get(row.id)
        assert found is not None
        assert found.due_at is not None
        return found.due_at <= engine.now()

    def test_a_file_whose_task_is_lost_is_due(self, waiting: FileRow) -> None:
        celery_mode._requeue_lost_tasks()

        assert self.is_due(waiting)

    def test_a_file_whose_task_may_be_queued_is_not_due(self, queue: Queue, waiting: FileRow) -> None:
        celery_mode.enqueue(pending_file("celery").id)
        current_services().relay.set_loss_marker()
        celery_mode._requeue_lost_tasks()

        assert not self.is_due(waiting)

    def test_data_loss_is_noticed_even_after_new_tasks(self, queue: Queue, waiting: FileRow) -> None:
        current_services().relay.set_loss_marker()
        queue.client.delete(queue.key("memory"))
        celery_mode.enqueue(pending_file("celery").id)
        celery_mode._requeue_lost_tasks()

        assert self.is_due(waiting)
        assert queue.client.exists(queue.key("memory"))

    def test_a_new_file_is_not_due(self, queue: Queue) -> None:
        row = pending_file("celery")

        assert transitions.make_due(6) == 0
        assert not self.is_due(row)

    def test_a_file_that_waits_for_its_next_attempt_is_not_due(self, queue: Queue) -> None:
        row = pending_file("celery")
        assert transitions.requeue(claim(row), "storage-unavailable", 900)
        engine.execute(text("UPDATE files SET updated_at = updated_at - 600"))

        assert transitions.make_due(6) == 0
        assert not self.is_due(row)

    def test_a_file_of_another_mode_is_not_due(self, queue: Queue) -> None:
        pending_file("async")
        engine.execute(text("UPDATE files SET updated_at = updated_at - 600"))

        assert transitions.make_due(6) == 0

    def test_without_redis_no_task_counts_as_lost(self, waiting: FileRow, monkeypatch: pytest.MonkeyPatch) -> None:
        def unreachable() -> bool:
            raise RelayLost

        monkeypatch.setattr(current_services().relay, "is_queue_empty_or_lost", unreachable)
        with pytest.raises(RelayLost):
            celery_mode._requeue_lost_tasks()
        assert not self.is_due(waiting)
