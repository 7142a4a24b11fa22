"""Matroska and WebM (RFC 9559, RFC 8794): the document type tells which, the tracks whether there are pictures."""

from __future__ import annotations

import re

_EBML = b"\x1a\x45\xdf\xa3"
_DOC_TYPE = b"\x42\x82"
_TRACKS = b"\x16\x54\xae\x6b"
_CODEC = re.compile(rb"\x86(?:[\x80-\xff]|[\x40-\x7f].)([VA])_[A-Z]", re.DOTALL)
"""A track's CodecID: its first letter is the kind of track."""

_KINDS = {b"webm": ("video/webm", "audio/webm"), b"matroska": ("video/x-matroska", "audio/x-matroska")}


def detect(head: bytes) -> str | None:
    """Return the type of a Matroska file; `audio/…` if the whole track list lies in the head and has only audio."""
    if not head.startswith(_EBML):
        return None
    at = head.find(_DOC_TYPE, 4, 512)
    start, end = _content(head, at + 2) if at >= 0 else (0, 0)
    pictures, sound = _KINDS.get(head[start:end].rstrip(b"\0"), (None, None))
    return sound if pictures and _is_sound(head, end) else pictures


def _is_sound(head: bytes, at: int) -> bool:
    tracks = head.find(_TRACKS, at)
    if tracks < 0:
        return False
    start, end = _content(head, tracks + 4)
    return end <= len(head) and set(_CODEC.findall(head, start, end)) == {b"A"}


def _content(head: bytes, at: int) -> tuple[int, int]:
    """Return start and end of the content of an element whose size is at `at` (RFC 8794 §4)."""
    first = head[at] if at < len(head) else 0
    width = 9 - first.bit_length()
    size = int.from_bytes(head[at : at + width]) & ((1 << 7 * width) - 1)
    return at + width, at + width + size
