"""Calls in parallel threads."""

from __future__ import annotations

import threading

import pytest
from ferry_client.cli.thread_pool import map_unordered


def test_results_are_yielded_as_they_are_ready() -> None:
    gate = threading.Event()

    def call(item: int) -> int:
        if item == 0:
            assert gate.wait(10)
        return item

    results = map_unordered(2, [0, 1], call)
    assert next(results) == 1
    gate.set()
    assert list(results) == [0]
    assert list(map_unordered(4, [], call)) == []


def test_an_exception_in_a_thread_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_unordered(2, [1, 0], lambda item: 1 // item))
