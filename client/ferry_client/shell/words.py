"""Sizes, times and durations, as people write and read them. Pure rules."""

from __future__ import annotations

import re
import unicodedata
from argparse import ArgumentTypeError

_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
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


def rate(text: str) -> float:
    """Bytes per second of 50000, 500k, 1.5M or 1G. The letters are curl's: 1024, 1024² and 1024³ bytes.

    Raises ArgumentTypeError.
    """
    found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([kKmMgG]?)", text)
    if not found or float(found[1]) == 0:
        raise ArgumentTypeError(f"{text!r} is no rate such as 500k, 1.5M or 1G (bytes per second)")
    return float(found[1]) * _BYTES[found[2].lower()]


def most(text: str) -> int:
    """A whole number from 1 on. Raises ArgumentTypeError."""
    if re.fullmatch(r"[0-9]{1,12}", text) and int(text) >= 1:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is no number from 1 on")


def seconds(text: str) -> float:
    """Seconds of 0, 2.5 or 600. Raises ArgumentTypeError."""
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    raise ArgumentTypeError(f"{text!r} is no number of seconds such as 0, 2.5 or 600")


def printable(text: str) -> str:
    """Without what a terminal would obey instead of show: names come from others."""
    return "".join(
        c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )


def fitted(name: str, cells: int) -> str:
    """`name` in at most so many cells of a terminal, with … for what its middle loses: its end tells files apart."""
    if sum(map(_cells, name)) <= cells:
        return name
    tail = _first(name[::-1], (cells - 1) // 2)[::-1]
    return _first(name, cells - 1 - sum(map(_cells, tail))) + "…" + tail


def _first(text: str, cells: int) -> str:
    """As much of its beginning as fits."""
    end = 0
    for sign in text:
        cells -= _cells(sign)
        if cells < 0:
            break
        end += 1
    return text[:end]


def _cells(sign: str) -> int:
    """Chinese, Japanese and Korean signs take two cells, combining marks none."""
    return 0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF")


def summary(counts: dict[str, int], bytes: int, seconds: float) -> str:
    """The last line of a transfer: what became of how many files, and how fast the bytes went that went."""
    moved = next(iter(counts.values()))
    seconds = max(seconds, 0.001)
    return (
        f"{counted(counts)}; {size(bytes)} in {seconds:.1f} s: {size(bytes / seconds)}/s, {moved / seconds:.0f} files/s"
    )


def forecast(counts: dict[str, int], bytes: int) -> str:
    """The last line of a dry run: 3 to upload, 1 skipped, 0 failed."""
    planned = {outcome.replace("would ", "to "): number for outcome, number in counts.items()}
    return f"{counted(planned)}; {size(bytes)}; dry run: nothing was done"


def counted(counts: dict[str, int]) -> str:
    """What became of how many files."""
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
