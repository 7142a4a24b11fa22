"""The type of a file by its first bytes, whatever its name and its sender say. Pure rules.

Plain Python, since what reads hostile bytes in the web process should not be C; each rule takes linear time and
unpacks nothing.
"""

from __future__ import annotations

from content.sniffing import frames, iso_media, magic_numbers, matroska, media, ole2, tar, text, zipped

SNIFF_BYTES = 8192
"""Bytes that are looked at: as many as tell a .docx from another .zip."""

UNKNOWN = "application/octet-stream"

_RULES = (
    tar.kind, zipped.kind, ole2.kind, iso_media.kind, matroska.kind, media.kind, magic_numbers.kind, frames.kind,
    magic_numbers.library,
)  # fmt: skip
"""In the order they are tried in: whole structures, then marks of many bytes, then those of a few."""


def detect(head: bytes) -> str:
    """The media type of a file that starts with `head`: the whole file, or its first HEAD bytes at least.

    Never raises. Unrecognised binary data and an empty file are `application/octet-stream`; any text without a mark is
    `text/plain`, because CSV, JSON and programs have none that could be relied on.
    """
    head = head[:SNIFF_BYTES]
    utf8 = text.as_utf8(head)
    if found := text.marked(utf8):
        return found
    # A text about BMW is no bitmap: the marks of binary files count only where there is binary data.
    if not text.is_utf8(utf8) and (found := _binary(head)):
        return found
    if b"%PDF-" in head[:1024]:  # Readers take it anywhere in there (ISO 32000-1, Annex H.3, note 13).
        return "application/pdf"
    return "text/plain" if text.is_text(utf8) else UNKNOWN


def _binary(head: bytes) -> str | None:
    return next((found for rule in _RULES if (found := rule(head))), None)
