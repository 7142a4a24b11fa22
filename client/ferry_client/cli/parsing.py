"""Types of option values. Each parser raises ArgumentTypeError for a malformed value. Pure rules."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError

_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_MAX_JOBS = 64


def parse_duration(text: str) -> int:
    """Return the seconds of 90, 90s, 30m, 12h, 7d or 2w."""
    match = re.fullmatch(r"([0-9]{1,9})([smhdw]?)", text)
    if not match or int(match[1]) == 0:
        raise ArgumentTypeError(f"{text!r} is not a duration such as 90, 30m, 12h or 7d")
    return int(match[1]) * _SECONDS[match[2]]


def parse_jobs(text: str) -> int:
    """Return a whole number from 1 to 64."""
    if re.fullmatch(r"[0-9]{1,2}", text) and 1 <= int(text) <= _MAX_JOBS:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is not a number from 1 to {_MAX_JOBS}")


def parse_rate(text: str) -> float:
    """Return the bytes per second of 50000, 500k, 1.5M or 1G, with curl's units: 1024, 1024² and 1024³ bytes."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([kKmMgG]?)", text)
    if not match or float(match[1]) == 0:
        raise ArgumentTypeError(f"{text!r} is not a rate such as 500k, 1.5M or 1G (bytes per second)")
    return float(match[1]) * _BYTES[match[2].lower()]


def parse_limit(text: str) -> int:
    """Return a whole number of at least 1."""
    if re.fullmatch(r"[0-9]{1,12}", text) and int(text) >= 1:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is not a number of at least 1")


def parse_seconds(text: str) -> float:
    """Return the seconds of 0, 2.5 or 600."""
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    raise ArgumentTypeError(f"{text!r} is not a number of seconds such as 0, 2.5 or 600")
