"""Accepted media types, and the headers of downloads. Pure rules over the type detected in the bytes.

The declared type is ignored: an attacker declares a page with scripts as a picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from content.filenames import safe_name
from content.sniffing.aliases import canonical
from problems import TypeNotAllowed

INLINE_TYPES = frozenset(
    (
        "image/webp",
        "image/avif",
        "image/png",
        "image/gif",
        "image/jpeg",
        "image/tiff",
        "image/bmp",
        "image/x-icon",
        "application/pdf",
    )
)
"""Types that browsers may display, besides audio and video: none can run scripts in Ferry's origin."""

_ATTR_CHARS = "!#$&+-.^_`|~"
"""Unescaped characters of an extended value, besides letters and digits (RFC 8187 §3.2.1)."""

_MAX_LISTED = 20
"""Accepted types that the problem lists; a longer list ends with the number of the others."""


def check_allowed(detected: str, declared: str, allowed: Sequence[str], denied: Sequence[str]) -> None:
    """Raise TypeNotAllowed if the detected type matches a pattern of `denied`, or none of a non-empty `allowed`.

    A pattern is a media type, by any of its usual names, or a family such as `image/*`. The problem contains the
    accepted types and the matching pattern of `denied`.
    """
    denial = _match(detected, denied)
    if not denial and (not allowed or _match(detected, allowed)):
        return
    reason = f"which is denied ({denial})" if denial else "which is not accepted"
    raise TypeNotAllowed(
        f"The file's bytes are {detected}, {reason}.{_accepted(allowed)}",
        detected_type=detected,
        declared_type=declared,
        allowed_types=list(allowed),
        denied_type=denial,
    )


def safe_headers(name: str, detected: str | None) -> tuple[str, str]:
    """Return Content-Type and Content-Disposition for a download. `detected` None: the type is unknown."""
    if detected is not None and (detected in INLINE_TYPES or detected.startswith(("audio/", "video/"))):
        return detected, _disposition("inline", name)
    return "application/octet-stream", _disposition("attachment", name)


def _match(kind: str, patterns: Iterable[str]) -> str | None:
    """Return the first pattern that matches a detected type."""
    names = (kind, f"{kind.partition('/')[0]}/*")
    return next((pattern for pattern in patterns if canonical(pattern) in names), None)


def _accepted(allowed: Sequence[str]) -> str:
    if not allowed:
        return ""
    more = len(allowed) - _MAX_LISTED
    return f" Accepted: {', '.join(allowed[:_MAX_LISTED])}{f' and {more} more' if more > 0 else ''}."


def _disposition(how: str, name: str) -> str:
    """Return the header with an ASCII name and, if the full name differs, that too (RFC 6266 §4.3)."""
    plain = safe_name(name)
    full = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe=_ATTR_CHARS)}"
    return f'{how}; filename="{plain}"{full}'
