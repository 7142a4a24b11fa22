"""Group commit: each write succeeds or fails by itself, and all of a batch share one commit."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from database.group_commit import GroupCommit
from dev.polling import eventually


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db", pool_size=40)
    event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", begin)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE numbers (number INTEGER PRIMARY KEY)"))
    yield engine
    engine.dispose()


@pytest.fixture
def group_commit(engine: Engine, tmp_path: Path) -> GroupCommit:
    return GroupCommit(engine, engine.execution_options(begins=False), tmp_path / "a.db-turn")


def begin(connection: Connection) -> None:
    if connection.get_execution_options().get("begins", True):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def insert(connection: Connection, *numbers: int) -> int:
    for number in numbers:
        connection.execute(text("INSERT INTO numbers VALUES (:number)"), {"number": number})
    return sum(numbers)


def numbers(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT number FROM numbers ORDER BY number")).scalars())


class Batch:
    """Writes that are queued while a first one (number 0) is being committed, and so become one batch."""

    def __init__(self, group_commit: GroupCommit) -> None:
        self._group_commit, self._go = group_commit, threading.Event()
        self._threads = ThreadPoolExecutor(20)

    def __enter__(self) -> Batch:
        def first(connection: Connection) -> None:
            insert(connection, 0)
            self._go.wait(10)

        self._threads.submit(self._group_commit.statement, first)
        assert eventually(lambda: self._group_commit._thread_lock.locked() and not self._group_commit._pending)
        return self

    def send(self, *numbers: int, error: BaseException | None = None) -> Future[int]:
        def work(connection: Connection) -> int:
            total = insert(connection, *numbers)
            if error:
                raise error
            return total

        waiting = len(self._group_commit._pending)
        sent = self._threads.submit(self._group_commit.transaction, work)
        assert eventually(lambda: len(self._group_commit._pending) == waiting + 1)
        return sent

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self._threads.shutdown()


def commits(engine: Engine) -> list[int]:
    found: list[int] = []
    event.listen(engine, "commit", lambda _: found.append(1))
    return found


def test_a_batch_has_one_commit(engine: Engine, group_commit: GroupCommit) -> None:
    found = commits(engine)
    with Batch(group_commit) as batch:
        sent = [batch.send(number) for number in range(1, 11)]

    assert [each.result() for each in sent] == list(range(1, 11))
    assert numbers(engine) == list(range(11))
    assert len(found) == 1


def test_a_failed_write_is_rolled_back_alone(engine: Engine, group_commit: GroupCommit) -> None:
    with Batch(group_commit) as batch:
        sent = [batch.send(1), batch.send(2, 3, error=ValueError("no")), batch.send(4, 1), batch.send(5)]

    assert [type(each.exception()) for each in sent] == [type(None), ValueError, IntegrityError, type(None)]
    assert numbers(engine) == [0, 1, 5]


@pytest.mark.parametrize("error", [OperationalError("", {}, Exception("full")), KeyboardInterrupt()])
def test_every_write_of_an_aborted_batch_fails(engine: Engine, group_commit: GroupCommit, error: BaseException) -> None:
    with Batch(group_commit) as batch:
        sent = [batch.send(1), batch.send(2, error=error), batch.send(3)]

    assert all(each.exception() is error for each in sent)
    assert numbers(engine) == [0]
    assert group_commit.statement(lambda connection: insert(connection, 4)) == 4


def test_a_failed_commit_fails_for_the_whole_batch(engine: Engine, group_commit: GroupCommit) -> None:
    def fail(_: Connection) -> None:
        raise OperationalError("", {}, Exception("disk"))

    event.listen(engine, "commit", fail)
    with Batch(group_commit) as batch:
        sent = [batch.send(1), batch.send(2)]

    assert [type(each.exception()) for each in sent] == [OperationalError, OperationalError]
    assert numbers(engine) == [0]


def test_more_writes_than_fit_one_batch_are_all_committed(engine: Engine, group_commit: GroupCommit) -> None:
    with ThreadPoolExecutor(30) as threads:
        list(
            threads.map(
                lambda number: group_commit.statement(lambda connection: insert(connection, number)), range(1000)
            )
        )

    assert numbers(engine) == list(range(1000))


def test_processes_wait_for_the_lock_file(engine: Engine, group_commit: GroupCommit, tmp_path: Path) -> None:
    other = os.open(tmp_path / "a.db-turn", os.O_CREAT | os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)
    with ThreadPoolExecutor(1) as threads:
        sent = threads.submit(group_commit.statement, lambda connection: insert(connection, 1))
        with pytest.raises(TimeoutError):
            sent.result(0.3)
        os.close(other)

        assert sent.result(10) == 1


def test_without_the_lock_file_sqlites_lock_is_used(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "a.db-turn").mkdir()

    group_commit = GroupCommit(engine, engine.execution_options(begins=False), tmp_path / "a.db-turn")

    assert group_commit.statement(lambda connection: insert(connection, 1)) == 1
    assert numbers(engine) == [1]
