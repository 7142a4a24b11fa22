"""Several calls at once, in threads that don't hold up the end of the program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def at_once(jobs: int, items: Iterable[Item], call: Callable[[Item], Result]) -> Iterator[Result]:
    """The results of `call` for all items, in the order in which they come. An exception of one ends all.

    The threads are daemons, unlike those of concurrent.futures: at Ctrl-C nobody waits for what is still on its way.
    """
    waiting: SimpleQueue[Item] = SimpleQueue()
    for item in items:
        waiting.put(item)
    number = waiting.qsize()
    ended: SimpleQueue[Result | BaseException] = SimpleQueue()
    for _ in range(min(jobs, number)):
        threading.Thread(target=_work, args=(waiting, ended, call), daemon=True).start()
    for _ in range(number):
        result = ended.get()
        if isinstance(result, BaseException):
            raise result
        yield result


def _work(
    waiting: SimpleQueue[Item], ended: SimpleQueue[Result | BaseException], call: Callable[[Item], Result]
) -> None:
    with suppress(Empty):
        while True:
            item = waiting.get_nowait()
            try:
                ended.put(call(item))
            except BaseException as error:
                ended.put(error)
