"""Which bytes of a file an answer has: RFC 9110 §14, for one range of bytes. Pure rules."""

from __future__ import annotations

import re

from problems import RangeNotSatisfiable

_ONE_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*", re.IGNORECASE)
_MOST_DIGITS = 19
"""More than any size has. Python refuses to read thousands of them."""


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last that a `Range` asks for, of `size`; None: all of them.

    Several ranges, other units and what is not well-formed are ignored, as §14.2 allows. A suffix longer than the file
    is the whole file. Raises RangeNotSatisfiable where the range lies beyond the end.
    """
    match = _ONE_RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last, suffix = (_number(digits) for digits in match.groups())
    if suffix is not None:
        return _suffix(suffix, size)
    if first is None or (last is not None and last < first):
        return None
    if first >= size:
        raise RangeNotSatisfiable(size=size)
    return first, size if last is None else min(last + 1, size)


def _suffix(length: int, size: int) -> tuple[int, int] | None:
    """An empty file has no range that Content-Range could name, but its last bytes are there: all none of them."""
    if length == 0:
        raise RangeNotSatisfiable(size=size)
    return (max(0, size - length), size) if size else None


def _number(digits: str | None) -> int | None:
    if not digits:
        return None
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS
