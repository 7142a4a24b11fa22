"""Changes that are committed together: each is kept or undone by itself, and all wait for the disk once."""

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
from tests.fakes import eventually


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
def together(engine: Engine, tmp_path: Path) -> GroupCommit:
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


class AtOnce:
    """Works that come while a first one (number 0) is being committed, so that they are committed together."""

    def __init__(self, together: GroupCommit) -> None:
        self._together, self._go = together, threading.Event()
        self._threads = ThreadPoolExecutor(20)

    def __enter__(self) -> AtOnce:
        def first(connection: Connection) -> None:
            insert(connection, 0)
            self._go.wait(10)

        self._threads.submit(self._together.statement, first)
        assert eventually(lambda: self._together._mine.locked() and not self._together._waiting)
        return self

    def send(self, *given: int, then: BaseException | None = None) -> Future[int]:
        def work(connection: Connection) -> int:
            found = insert(connection, *given)
            if then:
                raise then
            return found

        waiting = len(self._together._waiting)
        sent = self._threads.submit(self._together.transaction, work)
        assert eventually(lambda: len(self._together._waiting) == waiting + 1)
        return sent

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self._threads.shutdown()


def commits(engine: Engine) -> list[int]:
    found: list[int] = []
    event.listen(engine, "commit", lambda _: found.append(1))
    return found


def test_what_comes_at_once_is_committed_at_once(engine: Engine, together: GroupCommit) -> None:
    found = commits(engine)
    with AtOnce(together) as at_once:
        sent = [at_once.send(number) for number in range(1, 11)]

    assert [each.result() for each in sent] == list(range(1, 11))
    assert numbers(engine) == list(range(11))
    assert len(found) == 1


def test_what_fails_undoes_itself_and_nothing_else(engine: Engine, together: GroupCommit) -> None:
    with AtOnce(together) as at_once:
        sent = [at_once.send(1), at_once.send(2, 3, then=ValueError("no")), at_once.send(4, 1), at_once.send(5)]

    assert [type(each.exception()) for each in sent] == [type(None), ValueError, IntegrityError, type(None)]
    assert numbers(engine) == [0, 1, 5]


@pytest.mark.parametrize("error", [OperationalError("", {}, Exception("full")), KeyboardInterrupt()])
def test_nobody_takes_the_end_of_all_for_a_success(engine: Engine, together: GroupCommit, error: BaseException) -> None:
    with AtOnce(together) as at_once:
        sent = [at_once.send(1), at_once.send(2, then=error), at_once.send(3)]

    assert all(each.exception() is error for each in sent)
    assert numbers(engine) == [0]
    assert together.statement(lambda connection: insert(connection, 4)) == 4


def test_a_commit_that_fails_fails_for_all(engine: Engine, together: GroupCommit) -> None:
    def fail(_: Connection) -> None:
        raise OperationalError("", {}, Exception("disk"))

    event.listen(engine, "commit", fail)
    with AtOnce(together) as at_once:
        sent = [at_once.send(1), at_once.send(2)]

    assert [type(each.exception()) for each in sent] == [OperationalError, OperationalError]
    assert numbers(engine) == [0]


def test_more_than_one_commit_can_carry_are_all_committed(engine: Engine, together: GroupCommit) -> None:
    with ThreadPoolExecutor(30) as threads:
        list(threads.map(lambda number: together.statement(lambda connection: insert(connection, number)), range(1000)))

    assert numbers(engine) == list(range(1000))


def test_processes_wait_for_each_other(engine: Engine, together: GroupCommit, tmp_path: Path) -> None:
    other = os.open(tmp_path / "a.db-turn", os.O_CREAT | os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)
    with ThreadPoolExecutor(1) as threads:
        sent = threads.submit(together.statement, lambda connection: insert(connection, 1))
        with pytest.raises(TimeoutError):
            sent.result(0.3)
        os.close(other)

        assert sent.result(10) == 1


def test_without_a_file_for_the_turn_sqlite_decides(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "a.db-turn").mkdir()

    together = GroupCommit(engine, engine.execution_options(begins=False), tmp_path / "a.db-turn")

    assert together.statement(lambda connection: insert(connection, 1)) == 1
    assert numbers(engine) == [1]
