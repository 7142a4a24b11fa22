"""Does the CPU time of a rule grow linearly with its input?

Linear rules take four times the CPU for four times the input, quadratic ones sixteen times. The limit is eight, their
geometric mean: it has the same margin on both sides, because a shared CPU makes single measurements vary by a third.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import thread_time
from typing import Any

CHEAP = 0.003
"""Seconds of CPU. A rule that takes less for its largest input is harmless, and too short to compare."""

Make = Callable[[int], Any]


@dataclass(frozen=True)
class Rule:
    """A rule to measure: `read` is called with what each of `inputs` makes for a size of at most `largest`."""

    read: Callable[[Any], object]
    largest: int
    inputs: tuple[Make, ...]


def repeated(prefixes: list[Any], units: list[Any]) -> tuple[Make, ...]:
    """Each prefix, followed by each unit as often as it fits, and a character that does not match."""

    def made(prefix: Any, unit: Any) -> Make:
        end = "\0" if isinstance(unit, str) else b"\0"
        return lambda size: (prefix + unit * (max(0, size - len(prefix) - 1) // len(unit))) + end

    return tuple(made(prefix, unit) for prefix in prefixes for unit in units)


def seconds(rule: Rule, made: Any) -> float:
    """CPU time of this thread, without garbage collection: its time depends on all objects of the test process."""
    gc.disable()
    began = thread_time()
    with suppress(Exception):
        rule.read(made)
    taken = thread_time() - began
    gc.enable()
    return taken


def grows_linearly(rule: Rule, make: Make) -> bool:
    small, large = make(rule.largest // 4), make(rule.largest)
    small_seconds = large_seconds = float("inf")
    for _ in range(12):
        large_seconds = min(large_seconds, seconds(rule, large))
        if large_seconds < CHEAP:
            return True
        small_seconds = min(small_seconds, seconds(rule, small))
        if large_seconds < 8 * small_seconds:
            return True
    return False
