"""Run calls in daemon threads, which do not delay the end of the program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_unordered(jobs: int, items: Iterable[Item], call: Callable[[Item], Result]) -> Iterator[Result]:
    """Yield the results of `call` for all items as they are ready. Raises the first exception of a call.

    The threads are daemons, unlike those of concurrent.futures: after Ctrl-C the program does not wait for them.
    """
    pending: SimpleQueue[Item] = SimpleQueue()
    for item in items:
        pending.put(item)
    total = pending.qsize()
    results: SimpleQueue[Result | BaseException] = SimpleQueue()
    for _ in range(min(jobs, total)):
        threading.Thread(target=_work, args=(pending, results, call), daemon=True).start()
    for _ in range(total):
        result = results.get()
        if isinstance(result, BaseException):
            raise result
        yield result


def _work(
    pending: SimpleQueue[Item], results: SimpleQueue[Result | BaseException], call: Callable[[Item], Result]
) -> None:
    with suppress(Empty):
        while True:
            item = pending.get_nowait()
            try:
                results.put(call(item))
            except BaseException as error:
                results.put(error)
