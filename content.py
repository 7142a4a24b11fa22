"""What may be uploaded, and as what it is given out. Pure rules over the type that was found in the bytes.

The declared type decides nothing: whoever uploads a page with scripts calls it a picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from names import safe_name
from problems import TypeNotAllowed

INLINE = frozenset(
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
"""Types that a browser may show, beside audio and video: it runs no script of theirs in our name."""

_ATTR_CHARS = "!#$&+-.^_`|~"
"""What stands for itself in an extended value, beside letters and digits (RFC 8187 §3.2.1)."""


def admit(detected: str, declared: str, allowed: Iterable[str], denied: Iterable[str]) -> None:
    """Raises TypeNotAllowed where the detected type matches none of `allowed`, if there are any, or one of `denied`.

    A pattern is a media type, or a whole family as in `image/*`.
    """
    if _matches(detected, denied) or (allowed and not _matches(detected, allowed)):
        raise TypeNotAllowed(
            f"The file's bytes are {detected}, which is not accepted here.",
            detected_type=detected,
            declared_type=declared,
        )


def served(name: str, detected: str | None) -> tuple[str, str]:
    """The Content-Type and Content-Disposition that a file is given out with. `detected` None: nobody has looked."""
    if detected is not None and (detected in INLINE or detected.startswith(("audio/", "video/"))):
        return detected, _disposition("inline", name)
    return "application/octet-stream", _disposition("attachment", name)


def _matches(kind: str, patterns: Iterable[str]) -> bool:
    return any(pattern in (kind, f"{kind.partition('/')[0]}/*") for pattern in patterns)


def _disposition(how: str, name: str) -> str:
    """The header with the name as ASCII that needs no quoting and, where that is another, in full (RFC 6266 §4.3)."""
    plain = safe_name(name)
    full = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe=_ATTR_CHARS)}"
    return f'{how}; filename="{plain}"{full}'
