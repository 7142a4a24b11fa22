"""What stands behind an address's question mark, read strictly: a value that makes no sense is told, not guessed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Flask, request

from content.filename_encoding import check_query
from content.filenames import ID, MAX_CODE_POINTS
from models import UploadStatus
from problems import InvalidParameter

MAX_PAGE_SIZE = 100
MAX_TTL = 315_360_000
"""Seconds: ten years."""

_MODES = ("normal", "async", "celery")


def parse_page(args: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """How many files are asked for, and which: the keyword arguments of lookups.page. Raises InvalidParameter."""
    return number(args, "limit", 1, MAX_PAGE_SIZE, 20), {
        "after": _cursor(args),
        "newest_first": choice(args, "sort", ("-created", "created"), "-created") == "-created",
        "status": choice(args, "status", tuple(UploadStatus)),
        "mode": choice(args, "mode", _MODES),
        "prefix": name_prefix(args) or None,
        "created_after": _time(args, "created_after"),
        "created_before": _time(args, "created_before"),
    }


def number(args: Mapping[str, str], name: str, low: int, high: int, default: int | None = None) -> Any:
    """A whole number within bounds; `default` where there is none. Raises InvalidParameter."""
    text = args.get(name)
    if text is None:
        return default
    if re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) and low <= int(text) <= high:
        return int(text)
    raise InvalidParameter(f"{name} is a number from {low} to {high}.", parameter=name)


def expires_in(args: Mapping[str, str], default: int | None) -> int | None:
    """The seconds after which a file is deleted, from the query or a form's fields. Raises InvalidParameter."""
    ttl: int | None = number(args, "expires_in", 1, MAX_TTL, default)
    return ttl


def choice(args: Mapping[str, str], name: str, choices: tuple[str, ...], default: str | None = None) -> str | None:
    """One of several words; `default` where there is none. Raises InvalidParameter."""
    text = args.get(name, default)
    if text is None or text in choices:
        return text
    raise InvalidParameter(f"{name} is one of {', '.join(choices)}.", parameter=name)


def name_prefix(args: Mapping[str, str]) -> str | None:
    """How names start that are asked for, in NFC as all names are kept. Raises InvalidParameter."""
    text = args.get("prefix")
    if text and ("\0" in text or len(text) > MAX_CODE_POINTS):
        raise InvalidParameter("No name holds a NUL, or is as long as this.", parameter="prefix")
    return text and unicodedata.normalize("NFC", text)


def _cursor(args: Mapping[str, str]) -> str | None:
    text = args.get("cursor")
    if text is None or ID.fullmatch(text):
        return text
    raise InvalidParameter("cursor is the value of next in the page before.", parameter="cursor")


def _time(args: Mapping[str, str], name: str) -> float | None:
    """A point in time (RFC 3339), as seconds since the epoch."""
    text = args.get(name)
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is not None:
            return when.timestamp()
    except (ValueError, OverflowError):
        pass
    raise InvalidParameter(f"{name} is a time such as 2026-11-20T10:24:31Z (RFC 3339).", parameter=name)


def _check() -> None:
    """Raises BadEncoding, for every address: Werkzeug would keep an invalid escape as it is, and fail at a raw byte."""
    check_query(request.query_string)


def init_app(app: Flask) -> None:
    """Refuse queries that are not UTF-8."""
    app.before_request(_check)
