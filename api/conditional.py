"""Conditional requests, evaluated in the order of RFC 9110 §13.2.2. Pure rules."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from werkzeug.datastructures import Headers
from werkzeug.http import parse_date, parse_etags

from problems import PreconditionFailed

_MAX_DATE = 64
"""Characters. Every date format of HTTP is shorter (RFC 9110 §5.6.7)."""


def is_not_modified(headers: Headers, etag: str, modified: int) -> bool:
    """Whether to answer a GET or HEAD with 304. Raises PreconditionFailed (412).

    `etag` is strong and unquoted; `modified` is Last-Modified in whole seconds since the epoch.
    """
    modified_at = datetime.fromtimestamp(modified, UTC)
    if "If-Match" in headers:
        if not parse_etags(headers["If-Match"]).contains(etag):
            raise PreconditionFailed
    elif (latest := _date(headers.get("If-Unmodified-Since"))) and modified_at > latest:
        raise PreconditionFailed
    if "If-None-Match" in headers:
        return parse_etags(headers["If-None-Match"]).contains_weak(etag)
    since = _date(headers.get("If-Modified-Since"))
    return since is not None and modified_at <= since


def if_range_matches(if_range: str | None, etag: str, modified: int) -> bool:
    """Whether If-Range allows a partial response (§13.1.5): absent, the strong ETag, or the exact date.

    Compares the raw header: Werkzeug drops the weak flag, and a weak ETag does not guarantee equal bytes. A date is
    accepted as a strong validator because the bytes of a file id never change.
    """
    if if_range is None or if_range.strip() == f'"{etag}"':
        return True
    return _date(if_range) == datetime.fromtimestamp(modified, UTC)


def _date(text: str | None) -> datetime | None:
    """Parse an HTTP date; None if malformed, which conditions ignore (§13.1.3). Werkzeug may raise OverflowError."""
    if text is None or len(text) > _MAX_DATE:
        return None
    with suppress(OverflowError):
        return parse_date(text)
    return None
