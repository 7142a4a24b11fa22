"""Text by its first bytes: pages, SVG, scripts, and text that no mark tells apart.

The rules are those of browsers (WHATWG, MIME Sniffing §7.1). Libraries of magic numbers know text badly or not at all,
and it is what scripts come in.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""Bytes that no text has (MIME Sniffing §3, "binary data byte")."""

# What may stand in front of an XML document's root. Possessive, so that hostile heads cost one pass each.
_PROLOG = rb"(?:\s|<\?.*?\?>|<!--.*?-->|<!DOCTYPE\s++(?!html)[^\[>]*+(?:\[.*?\]\s*+)?+>)*+"
_PREFIX = rb"(?:[\w.-]{1,64}:)?"
_TAGS = rb"!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P"
# In the order they are tried in, after white space. A tag's name ends at any of it, not at the standard's blank alone.
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


def marked(text: bytes) -> str | None:
    """The type of text that starts with a mark, whatever bytes follow it. `text` is the result of `as_utf8`."""
    start = text.lstrip()
    return next((kind for pattern, kind in _STARTS if pattern.match(start)), None)


def as_utf8(head: bytes) -> bytes:
    """`head` without a byte order mark, and in UTF-8 where its mark says UTF-16."""
    if head.startswith(_UTF16):
        return head.decode("utf-16", "ignore").encode()
    return head.removeprefix(b"\xef\xbb\xbf")


def is_text(text: bytes) -> bool:
    """Whether `text` has characters, in any encoding that keeps ASCII, and no byte that only binary files have."""
    return bool(text) and not _BINARY.search(text)


def is_utf8(text: bytes) -> bool:
    """Whether `text` is text, and UTF-8; its last character may be cut off."""
    if not is_text(text):
        return False
    try:
        getincrementaldecoder("utf-8")().decode(text)
    except UnicodeDecodeError:
        return False
    return True
