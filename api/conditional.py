"""Whether an answer is sent at all: conditional requests, in the order of RFC 9110 §13.2.2. Pure rules."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from werkzeug.datastructures import Headers
from werkzeug.http import parse_date, parse_etags

from problems import PreconditionFailed

_LONGEST_DATE = 64
"""Characters. Every form of a date that HTTP knows has fewer (RFC 9110 §5.6.7)."""


def is_not_modified(headers: Headers, etag: str, modified: int) -> bool:
    """Whether a GET or HEAD with these headers already has what it asks for (304). Raises PreconditionFailed (412).

    `etag` is strong and without its quotes; `modified` is in whole seconds since the epoch, as Last-Modified says it.
    """
    at = datetime.fromtimestamp(modified, UTC)
    if "If-Match" in headers:
        if not parse_etags(headers["If-Match"]).contains(etag):
            raise PreconditionFailed
    elif (latest := _date(headers.get("If-Unmodified-Since"))) and at > latest:
        raise PreconditionFailed
    if "If-None-Match" in headers:
        return parse_etags(headers["If-None-Match"]).contains_weak(etag)
    since = _date(headers.get("If-Modified-Since"))
    return since is not None and at <= since


def if_range_matches(if_range: str | None, etag: str, modified: int) -> bool:
    """Whether a range fits to what the client has (§13.1.5): the strong tag or the very date, if it names one.

    Werkzeug forgets that a tag was weak, and a weak one proves nothing about bytes. A date does here: what is stored
    under a file's id never changes.
    """
    if if_range is None or if_range.strip() == f'"{etag}"':
        return True
    return _date(if_range) == datetime.fromtimestamp(modified, UTC)


def _date(text: str | None) -> datetime | None:
    """An HTTP date; None for what is malformed, which conditions ignore (§13.1.3). Werkzeug lets an overflow out."""
    if text is None or len(text) > _LONGEST_DATE:
        return None
    with suppress(OverflowError):
        return parse_date(text)
    return None
