"""Range requests for one byte range (RFC 9110 §14). Pure rules."""

from __future__ import annotations

import re

from problems import RangeNotSatisfiable

_ONE_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*", re.IGNORECASE)
_MAX_DIGITS = 19
"""More than any size needs. int() raises ValueError for thousands of digits."""


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The requested bytes of a file of `size` bytes as [first, end); None for the whole file.

    Several ranges, other units and malformed values are ignored, as §14.2 allows. A suffix longer than the file is the
    whole file. Raises RangeNotSatisfiable if the range starts after the last byte.
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
    """The last `length` bytes. An empty file is answered as a whole: Content-Range cannot express zero bytes."""
    if length == 0:
        raise RangeNotSatisfiable(size=size)
    return (max(0, size - length), size) if size else None


def _number(digits: str | None) -> int | None:
    if not digits:
        return None
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS
