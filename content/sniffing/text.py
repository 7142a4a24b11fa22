"""Text formats: HTML, SVG, scripts, and plain text.

The rules are those of browsers (WHATWG, MIME Sniffing §7.1). Libraries of magic numbers detect text badly or not at
all, and scripts are text.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""Bytes that never occur in text (MIME Sniffing §3, "binary data byte")."""

# What may precede the root element of an XML document. Possessive quantifiers: one pass even over hostile heads.
_PROLOG = rb"(?:\s|<\?.*?\?>|<!--.*?-->|<!DOCTYPE\s++(?!html)[^\[>]*+(?:\[.*?\]\s*+)?+>)*+"
_PREFIX = rb"(?:[\w.-]{1,64}:)?"
_TAGS = rb"!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P"
# In order of precedence, after white space. A tag name ends at any white space, not only at the standard's blank.
_STARTS = [
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), kind)
    for pattern, kind in (
        (_PROLOG + rb"<" + _PREFIX + rb"svg[\s/>]", "image/svg+xml"),
        (rb"(?=<\?xml\b)" + _PROLOG + rb"<(?:!DOCTYPE\s+html\b|" + _PREFIX + rb"html[\s/>])", "application/xhtml+xml"),
        (rb"<\?xml\b", "text/xml"),
        (rb"<(?:(?:" + _TAGS + rb")[\s/>]|!--)", "text/html"),
        (rb"<\?(?:php\b|=)", "text/x-php"),
        (rb"#!\s?/", "text/x-script"),
        (rb"%!PS-Adobe-", "application/postscript"),
        (rb"\{\\rtf", "application/rtf"),
    )
]


def by_signature(text: bytes) -> str | None:
    """Return the type of text with a signature, whatever bytes follow. `text`: the result of `as_utf8`."""
    start = text.lstrip()
    return next((kind for pattern, kind in _STARTS if pattern.match(start)), None)


def as_utf8(head: bytes) -> bytes:
    """Return `head` without byte order mark, converted to UTF-8 if the mark is UTF-16's."""
    if head.startswith(_UTF16):
        return head.decode("utf-16", "ignore").encode()
    return head.removeprefix(b"\xef\xbb\xbf")


def is_text(text: bytes) -> bool:
    """Return whether `text` is not empty and has no byte that occurs only in binary files."""
    return bool(text) and not _BINARY.search(text)


def is_utf8(text: bytes) -> bool:
    """Return whether `text` is text in UTF-8; its last character may be truncated."""
    if not is_text(text):
        return False
    try:
        getincrementaldecoder("utf-8")().decode(text)
    except UnicodeDecodeError:
        return False
    return True
