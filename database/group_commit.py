"""How changes are committed: alone, by a server that is good at it; together, by SQLite, which is not.

A commit waits for the disk, and SQLite makes one at a time. Under load it therefore takes along what other threads
have to write just then: one wait for all of them.
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
"""Statements that are to be committed. Whoever's thread it runs on: it touches nothing but the connection."""

_MOST = 64
_REPEAT_PAUSE = 0.02
"""Seconds at most before what failed is done again for the first time: what collided must not collide again."""


class Commits(Protocol):
    """What an app has for its database."""

    def statement(self, work: Work[T]) -> T:
        """What `work` returns, a single statement, once that is committed."""

    def transaction(self, work: Work[T]) -> T:
        """What `work` returns, once all its statements are committed; none is where it raises."""


class DirectCommit:
    """Each by itself. PostgreSQL waits once for those who come at the same time, without being asked."""

    def __init__(self, engine: Engine, autocommit: Engine, repeats: Callable[[BaseException], int]) -> None:
        """`autocommit` spares a single statement the two round trips around it.

        `repeats` says of a failure how often what failed can be done again: as a rule not once.
        """
        self._engine, self._autocommit, self._repeats = engine, autocommit, repeats

    def statement(self, work: Work[T]) -> T:
        return self._committed(self._autocommit.connect, work)

    def transaction(self, work: Work[T]) -> T:
        return self._committed(self._engine.begin, work)

    def _committed(self, connect: Callable[[], AbstractContextManager[Connection]], work: Work[T]) -> T:
        for number in itertools.count():
            try:
                with connect() as connection:
                    return work(connection)
            except OperationalError as error:
                if number >= self._repeats(error):
                    raise
            time.sleep(random.uniform(0, _REPEAT_PAUSE * 2**number))  # noqa: S311
        raise AssertionError


class GroupCommit:
    """All that has come while others were committed, by the first of them who gets the turn."""

    def __init__(self, engine: Engine, autocommit: Engine, path: Path) -> None:
        """`path` is a file beside the database, for the turn of one process among several. It is made when needed."""
        self._engine, self._autocommit = engine, autocommit
        self._mine, self._ours = threading.Lock(), ProcessLock(path)
        self._waiting: deque[_Write[Any]] = deque()

    def statement(self, work: Work[T]) -> T:
        return self._committed(_Write(work, self._autocommit.connect))

    def transaction(self, work: Work[T]) -> T:
        return self._committed(_Write(work, self._engine.begin))

    def _committed(self, write: _Write[T]) -> T:
        self._waiting.append(write)
        with self._mine:
            if not write.done:
                with self._ours.taken():
                    self._commit([self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST))])
        return write.outcome()

    def _commit(self, writes: Sequence[_Write[Any]]) -> None:
        try:
            if len(writes) == 1:
                writes[0].run_alone()
                return
            with self._engine.begin() as connection:
                for write in writes:
                    write.run(connection)
        except BaseException as error:  # Whatever ends us, the others must not take it for a success.
            for write in writes:
                write.error = error
        finally:
            for write in writes:
                write.done = True


class _Write(Generic[T]):
    """One thread's work, and what came of it."""

    def __init__(self, work: Work[T], alone: Callable[[], AbstractContextManager[Connection]]) -> None:
        """`alone` gives a connection that commits it where nobody else's is to be."""
        self._work, self._alone = work, alone
        self._value: T | None = None
        self.error: BaseException | None = None
        self.done = False

    def run_alone(self) -> None:
        with self._alone() as connection:
            self._value = self._work(connection)

    def run(self, connection: Connection) -> None:
        """Do it apart from the others: what it raises undoes nothing of theirs."""
        try:
            with connection.begin_nested():
                self._value = self._work(connection)
        except OperationalError:
            raise  # A full disk, say: SQLite has ended the transaction of all.
        except Exception as error:
            self.error = error

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return cast(T, self._value)


class ProcessLock:
    """A lock between processes, in which whoever waits is woken at once.

    SQLite's own lock lets a writer who has to wait sleep, for longer each time, up to 100 ms: with two busy processes
    one of them may find it taken for seconds. The kernel gives this one back when its process dies.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = (0, -1)

    @contextmanager
    def taken(self) -> Iterator[None]:
        try:
            fcntl.flock(file := self._opened(), fcntl.LOCK_EX)
        except OSError:  # SQLite's own lock has to do then.
            yield
            return
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def _opened(self) -> int:
        """A descriptor of this process alone: one that came over a fork would share its lock with the parent."""
        if self._file[0] != os.getpid():
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = (os.getpid(), os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        return self._file[1]
