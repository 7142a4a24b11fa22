"""Several calls at once."""

from __future__ import annotations

import threading

import pytest
from ferry_client.shell.pool import at_once


def test_results_come_as_they_are_ready() -> None:
    gate = threading.Event()

    def call(item: int) -> int:
        if item == 0:
            assert gate.wait(10)
        return item

    results = at_once(2, [0, 1], call)
    assert next(results) == 1
    gate.set()
    assert list(results) == [0]
    assert list(at_once(4, [], call)) == []


def test_a_mistake_in_a_thread_is_heard_of() -> None:
    with pytest.raises(ZeroDivisionError):
        list(at_once(2, [1, 0], lambda item: 1 // item))
