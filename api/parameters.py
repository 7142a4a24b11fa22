"""Strict query-parameter parsing: an invalid value is a 400, never a default."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.limits import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, MAX_TTL
from content.filenames import ID, MAX_CODE_POINTS
from models import UploadStatus
from problems import InvalidParameter

_MODES = ("normal", "async", "celery")


def parse_page(args: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """The limit of a page, and the filters as keyword arguments of queries.page. Raises InvalidParameter."""
    return number(args, "limit", 1, MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE), {
        "after": _cursor(args),
        "newest_first": choice(args, "sort", ("-created", "created"), "-created") == "-created",
        "status": choice(args, "status", tuple(UploadStatus)),
        "mode": choice(args, "mode", _MODES),
        "prefix": name_prefix(args) or None,
        "created_after": _timestamp(args, "created_after"),
        "created_before": _timestamp(args, "created_before"),
    }


def number(args: Mapping[str, str], name: str, low: int, high: int, default: int | None = None) -> Any:
    """An integer from `low` to `high`; `default` if missing. Raises InvalidParameter."""
    text = args.get(name)
    if text is None:
        return default
    if re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) and low <= int(text) <= high:
        return int(text)
    raise InvalidParameter(f"{name} must be a number from {low} to {high}.", parameter=name)


def expires_in(args: Mapping[str, str], default: int | None) -> int | None:
    """Seconds until a file expires, from the query or form fields. Raises InvalidParameter."""
    ttl: int | None = number(args, "expires_in", 1, MAX_TTL, default)
    return ttl


def choice(args: Mapping[str, str], name: str, choices: tuple[str, ...], default: str | None = None) -> str | None:
    """One of `choices`; `default` if missing. Raises InvalidParameter."""
    text = args.get(name, default)
    if text is None or text in choices:
        return text
    raise InvalidParameter(f"{name} must be one of {', '.join(choices)}.", parameter=name)


def name_prefix(args: Mapping[str, str]) -> str | None:
    """The filename prefix, in NFC like every stored name. Raises InvalidParameter."""
    text = args.get("prefix")
    if text and ("\0" in text or len(text) > MAX_CODE_POINTS):
        raise InvalidParameter("prefix is too long, or contains NUL.", parameter="prefix")
    return text and unicodedata.normalize("NFC", text)


def _cursor(args: Mapping[str, str]) -> str | None:
    text = args.get("cursor")
    if text is None or ID.fullmatch(text):
        return text
    raise InvalidParameter("cursor must be the value of next of the previous page.", parameter="cursor")


def _timestamp(args: Mapping[str, str], name: str) -> float | None:
    """An RFC 3339 time as seconds since the epoch. Raises InvalidParameter."""
    text = args.get(name)
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
        if parsed.tzinfo is not None:
            return parsed.timestamp()
    except (ValueError, OverflowError):
        pass
    raise InvalidParameter(f"{name} must be a time such as 2026-11-20T10:24:31Z (RFC 3339).", parameter=name)
