"""Sizes, times and durations, as people write and read them. Pure rules."""

from __future__ import annotations

import re
import unicodedata
from argparse import ArgumentTypeError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def size(bytes: float) -> str:
    """In decimal units: 999 B, 1.0 kB, 12.3 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if bytes < 999.95:
            return f"{bytes:.0f} {unit}" if unit == "B" else f"{bytes:.1f} {unit}"
        bytes /= 1000
    return f"{bytes:.1f} TB"


def duration(text: str) -> int:
    """Seconds of 90, 90s, 30m, 12h, 7d or 2w. Raises ArgumentTypeError."""
    found = re.fullmatch(r"([0-9]{1,9})([smhdw]?)", text)
    if not found or int(found[1]) == 0:
        raise ArgumentTypeError(f"{text!r} is no duration such as 90, 30m, 12h or 7d")
    return int(found[1]) * _UNITS[found[2]]


def count(text: str) -> int:
    """A whole number from 1 to 64. Raises ArgumentTypeError."""
    if re.fullmatch(r"[0-9]{1,2}", text) and 1 <= int(text) <= 64:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is no number from 1 to 64")


def printable(text: str) -> str:
    """Without what a terminal would obey instead of show: names come from others."""
    return "".join(
        c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )


def summary(counts: dict[str, int], bytes: int, seconds: float) -> str:
    """The last line of a transfer: what became of how many files, and how fast the bytes went that went."""
    said = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    moved = next(iter(counts.values()))
    seconds = max(seconds, 0.001)
    return f"{said}; {size(bytes)} in {seconds:.1f} s: {size(bytes / seconds)}/s, {moved / seconds:.0f} files/s"
