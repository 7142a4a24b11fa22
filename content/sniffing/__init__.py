"""Media type detection by a file's first bytes, independent of its name and declared type. Pure rules.

Plain Python, because a parser of hostile bytes in the web process should not be C. Every rule takes linear time and
decompresses nothing.
"""

from __future__ import annotations

from content.sniffing import frames, iso_media, magic_numbers, matroska, media, ole2, tar, text, zipped

SNIFF_BYTES = 8192
"""Bytes that are inspected: enough to distinguish a .docx from another .zip."""

UNKNOWN = "application/octet-stream"

_RULES = (
    tar.detect, zipped.detect, ole2.detect, iso_media.detect, matroska.detect, media.detect,
    magic_numbers.detect, frames.detect, magic_numbers.detect_by_filetype,
)  # fmt: skip
"""In order of precedence: whole structures, then long magic numbers, then short ones."""


def detect(head: bytes) -> str:
    """Return the media type of a file that starts with `head`: the whole file, or at least SNIFF_BYTES of it.

    Never raises. Unknown binary data and an empty file are `application/octet-stream`; text without a signature is
    `text/plain`, because CSV, JSON and source code have no reliable one.

    >>> detect(b"%PDF-1.7")
    'application/pdf'
    """
    head = head[:SNIFF_BYTES]
    utf8 = text.as_utf8(head)
    if found := text.by_signature(utf8):
        return found
    # A text that starts with "BMW" is not a bitmap: magic numbers of binary files count only in binary data.
    if not text.is_utf8(utf8) and (found := _binary(head)):
        return found
    if b"%PDF-" in head[:1024]:  # Readers accept it anywhere there (ISO 32000-1, Annex H.3, note 13).
        return "application/pdf"
    return "text/plain" if text.is_text(utf8) else UNKNOWN


def _binary(head: bytes) -> str | None:
    return next((found for rule in _RULES if (found := rule(head))), None)
