"""What a file is by its first bytes, whatever its name and its sender say. Pure rules. Only this file knows filetype.

Text is told here, by the rules that browsers go by (WHATWG, MIME Sniffing §7.1): libraries of magic numbers tell it
badly or not at all, and it is what scripts come in. All else is filetype's: plain Python, since what reads hostile
bytes in the web process should not be C.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder

import filetype

HEAD = 8192
"""Bytes that are looked at: as many as tell a .docx from another .zip."""

UNKNOWN = "application/octet-stream"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""Bytes that no text has (MIME Sniffing §3, "binary data byte")."""

_ALSO = {"image/apng": "image/png"}
"""An animated PNG is a PNG to all that asks for one."""

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


def detect(head: bytes) -> str:
    """The media type of a file that starts with `head`: the whole file, or its first HEAD bytes at least.

    Never raises. `application/octet-stream` is what nobody can tell, an empty file for one. Any other text than the
    kinds above is `text/plain`: CSV, JSON and programs have no mark that could be relied on.
    """
    head = head[:HEAD]
    text = _as_utf8(head)
    start = text.lstrip()
    for pattern, kind in _STARTS:
        if pattern.match(start):
            return kind
    plain = _is_utf8(text)
    # A text about BMW is no bitmap: short marks count only where there is binary data.
    found: str | None = None if plain else filetype.guess_mime(head)
    if found:
        return _ALSO.get(found, found)
    if b"%PDF-" in head[:1024]:  # Readers take it anywhere in there (ISO 32000-1, Annex H.3, note 13).
        return "application/pdf"
    return "text/plain" if text and not _BINARY.search(text) else UNKNOWN


def _as_utf8(head: bytes) -> bytes:
    """`head` without a byte order mark, and in UTF-8 where its mark says UTF-16."""
    if head.startswith(_UTF16):
        return head.decode("utf-16", "ignore").encode()
    return head.removeprefix(b"\xef\xbb\xbf")


def _is_utf8(text: bytes) -> bool:
    if not text or _BINARY.search(text):
        return False
    try:
        getincrementaldecoder("utf-8")().decode(text)  # Without a verdict on a last character that is cut.
    except UnicodeDecodeError:
        return False
    return True
