"""What may be uploaded, and as what it is given out. Pure rules over the type that was found in the bytes.

The declared type decides nothing: whoever uploads a page with scripts calls it a picture.
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
"""Types that a browser may show, beside audio and video: none holds a script that it would run in Ferry's origin."""

_ATTR_CHARS = "!#$&+-.^_`|~"
"""What stands for itself in an extended value, beside letters and digits (RFC 8187 §3.2.1)."""


_MOST_NAMED = 20
"""Accepted types that a refusal names; a longer list ends with their number."""


def check_allowed(detected: str, declared: str, allowed: Sequence[str], denied: Sequence[str]) -> None:
    """Raise TypeNotAllowed where the detected type matches none of `allowed`, if there are any, or one of `denied`.

    A pattern is a media type, under any of its usual names, or a whole family as in `image/*`. The problem says which
    types are accepted, or which pattern of `denied` refuses the file.
    """
    denial = _match(detected, denied)
    if not denial and (not allowed or _match(detected, allowed)):
        return
    why = f"which is refused here ({denial})" if denial else "which is not accepted here"
    raise TypeNotAllowed(
        f"The file's bytes are {detected}, {why}.{_accepted(allowed)}",
        detected_type=detected,
        declared_type=declared,
        allowed_types=list(allowed),
        denied_type=denial,
    )


def safe_headers(name: str, detected: str | None) -> tuple[str, str]:
    """The Content-Type and Content-Disposition that a file is given out with. `detected` None: nobody has looked."""
    if detected is not None and (detected in INLINE_TYPES or detected.startswith(("audio/", "video/"))):
        return detected, _disposition("inline", name)
    return "application/octet-stream", _disposition("attachment", name)


def _match(kind: str, patterns: Iterable[str]) -> str | None:
    """The first pattern that matches a detected type."""
    names = (kind, f"{kind.partition('/')[0]}/*")
    return next((pattern for pattern in patterns if canonical(pattern) in names), None)


def _accepted(allowed: Sequence[str]) -> str:
    if not allowed:
        return ""
    more = len(allowed) - _MOST_NAMED
    return f" Accepted: {', '.join(allowed[:_MOST_NAMED])}{f' and {more} more' if more > 0 else ''}."


def _disposition(how: str, name: str) -> str:
    """The header with the name as ASCII that needs no quoting and, where that is another, in full (RFC 6266 §4.3)."""
    plain = safe_name(name)
    full = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe=_ATTR_CHARS)}"
    return f'{how}; filename="{plain}"{full}'
