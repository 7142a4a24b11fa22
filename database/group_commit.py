"""Group commit for SQLite; PostgreSQL commits each transaction directly.

A commit waits for the disk, and SQLite makes one at a time. Under load, one commit therefore includes the pending
writes of other threads: one fsync for all of them.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

T = TypeVar("T")
Work = Callable[[Connection], T]
"""Statements to commit. May run on another thread, so it uses nothing but the connection."""

_MAX_BATCH = 64
_RETRY_PAUSE = 0.02
"""Most seconds before the first retry; a random share of it, so that transactions that collided do not again."""


class Commits(Protocol):
    """Commits changes for an app."""

    def statement(self, work: Work[T]) -> T:
        """Run `work`, a single statement, and return its result after the commit."""

    def transaction(self, work: Work[T]) -> T:
        """Run `work` in a transaction, and return its result after the commit. Rolls back if it raises."""


class DirectCommit:
    """Commits each transaction by itself: PostgreSQL groups concurrent commits on its own."""

    def __init__(self, engine: Engine, autocommit: Engine, max_retries: Callable[[BaseException], int]) -> None:
        """`autocommit` saves a single statement the two round trips of BEGIN and COMMIT.

        `max_retries(error)`: how often work that failed so may be repeated, mostly 0.
        """
        self._engine, self._autocommit, self._max_retries = engine, autocommit, max_retries

    def statement(self, work: Work[T]) -> T:
        return self._run(self._autocommit.connect, work)

    def transaction(self, work: Work[T]) -> T:
        return self._run(self._engine.begin, work)

    def _run(self, connect: Callable[[], AbstractContextManager[Connection]], work: Work[T]) -> T:
        for retries in itertools.count():
            try:
                with connect() as connection:
                    return work(connection)
            except OperationalError as error:
                if retries >= self._max_retries(error):
                    raise
            time.sleep(random.uniform(0, _RETRY_PAUSE * 2**retries))  # noqa: S311
        raise AssertionError


class GroupCommit:
    """Commits the writes that queued up during the last commit together, on the first of their threads."""

    def __init__(self, engine: Engine, autocommit: Engine, path: Path) -> None:
        """`path`: the lock file of the writing process, beside the database. Created when needed."""
        self._engine, self._autocommit = engine, autocommit
        self._thread_lock, self._process_lock = threading.Lock(), ProcessLock(path)
        self._pending: deque[_Write[Any]] = deque()

    def statement(self, work: Work[T]) -> T:
        return self._commit(_Write(work, self._autocommit.connect))

    def transaction(self, work: Work[T]) -> T:
        return self._commit(_Write(work, self._engine.begin))

    def _commit(self, write: _Write[T]) -> T:
        self._pending.append(write)
        with self._thread_lock:
            if not write.done:
                with self._process_lock.held():
                    self._commit_batch([self._pending.popleft() for _ in range(min(len(self._pending), _MAX_BATCH))])
        return write.outcome()

    def _commit_batch(self, writes: Sequence[_Write[Any]]) -> None:
        try:
            if len(writes) == 1:
                writes[0].run_directly()
                return
            with self._engine.begin() as connection:
                for write in writes:
                    write.run(connection)
        except BaseException as error:  # Every thread must see the failure, KeyboardInterrupt included.
            for write in writes:
                write.error = error
        finally:
            for write in writes:
                write.done = True


class _Write(Generic[T]):
    """One thread's work and its outcome."""

    def __init__(self, work: Work[T], connect: Callable[[], AbstractContextManager[Connection]]) -> None:
        """`connect`: a connection that commits it, if it is the only one of its batch."""
        self._work, self._connect = work, connect
        self._value: T | None = None
        self.error: BaseException | None = None
        self.done = False

    def run_directly(self) -> None:
        with self._connect() as connection:
            self._value = self._work(connection)

    def run(self, connection: Connection) -> None:
        """Run it in a savepoint: if it raises, the other writes of the batch stay."""
        try:
            with connection.begin_nested():
                self._value = self._work(connection)
        except OperationalError:
            raise  # SQLite has rolled back the whole transaction, for instance because the disk is full.
        except Exception as error:
            self.error = error

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return cast(T, self._value)


class ProcessLock:
    """A lock between processes (flock) that wakes a waiting process at once.

    SQLite's own lock makes a waiting writer sleep, longer each time, up to 100 ms: with two busy processes, one may
    wait for seconds. The kernel releases this one when its process dies.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = (0, -1)

    @contextmanager
    def held(self) -> Iterator[None]:
        try:
            fcntl.flock(file := self._open(), fcntl.LOCK_EX)
        except OSError:  # Then SQLite's own lock must suffice.
            yield
            return
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def _open(self) -> int:
        """A descriptor of this process: one inherited over a fork would share its lock with the parent."""
        if self._file[0] != os.getpid():
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = (os.getpid(), os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        return self._file[1]
