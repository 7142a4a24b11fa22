"""Files made of boxes: MP4 and related formats (ISO/IEC 14496-12), HEIF, AVIF, QuickTime, JPEG 2000, JPEG XL.

The brands in `ftyp` determine the type (registered at mp4ra.org). An unknown brand is `video/mp4`, as in browsers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEIF = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis"), "image/heic"),
    **dict.fromkeys((b"hevc", b"hevx", b"hevm", b"hevs"), "image/heic-sequence"),
    **dict.fromkeys((b"avci", b"avcs"), "image/avci"),
}
_GENERAL_HEIF = {
    **dict.fromkeys((b"mif1", b"mif2", b"mif3", b"miaf", b"1pic", b"jpeg", b"MiHB", b"MiHE"), "image/heif"),
    b"msf1": "image/heif-sequence",
}
"""Brands of pictures in any codec: a compatible brand determines it."""

_MAJOR = {
    **_HEIF,
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "), "audio/mp4"),
    b"qt  ": "video/quicktime",
    b"crx ": "image/x-canon-cr3",
    b"jp2 ": "image/jp2",
    b"jpx ": "image/jpx",
    b"jpm ": "image/jpm",
    b"mjp2": "video/mj2",
    b"jxl ": "image/jxl",
    b"jph ": "image/jph",
    b"kddi": "video/3gpp2",
}
_FAMILIES = ((b"3g2", "video/3gpp2"), (b"3g", "video/3gpp"))

_QUICKTIME = frozenset((b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
"""First atoms of QuickTime files; old ones have no `ftyp` (QuickTime File Format, "Movie Atoms")."""
_SEGMENT = frozenset((b"styp", b"sidx", b"moof"))
_SIGNED = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\0\0\0\x0cJXL \r\n\x87\n")
_SOUND = {"video/mp4": "audio/mp4", "video/3gpp": "audio/3gpp", "video/3gpp2": "audio/3gpp2"}
_HANDLER = re.compile(rb"hdlr.{8}(vide|soun)", re.DOTALL)


def detect(head: bytes) -> str | None:
    """Return the type of a file that begins with a box, or None."""
    if head.startswith(_SIGNED[1]):
        return "image/jxl"
    for at, name, end in _boxes(head, 12 if head.startswith(_SIGNED[0]) else 0):
        if name == b"ftyp":
            found = _by_brands(head[at + 8 : end])
            return _SOUND.get(found, found) if _is_sound(head, end) else found
        if name in _SEGMENT:
            return "video/iso.segment"
        if name not in (b"wide", b"free", b"skip"):
            break
    return "video/quicktime" if _begins_quicktime(head) else None


def _by_brands(ftyp: bytes) -> str:
    major, compatible = ftyp[:4], [ftyp[at : at + 4] for at in range(8, len(ftyp) - 3, 4)]
    if found := _MAJOR.get(major):
        return found
    if found := next((kind for start, kind in _FAMILIES if major.startswith(start)), None):
        return found
    if general := _GENERAL_HEIF.get(major):
        return next((_HEIF[brand] for brand in compatible if brand in _HEIF), general)
    return "video/mp4"


def _is_sound(head: bytes, at: int) -> bool:
    """Return whether the movie box lies in the head and has only audio tracks, as in browsers' voice recordings."""
    for start, name, end in _boxes(head, at):
        if name == b"moov":
            return end <= len(head) and set(_HANDLER.findall(head, start, end)) == {b"soun"}
    return False


def _begins_quicktime(head: bytes) -> bool:
    size = int.from_bytes(head[:4])
    return head[4:8] in _QUICKTIME and (size == 1 or size >= 8 or head[4:8] == b"mdat")


def _boxes(head: bytes, at: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield start, name and end of each box (§4.2)."""
    while len(head) >= at + 8:
        size = int.from_bytes(head[at : at + 4])
        if size == 1:
            size = int.from_bytes(head[at + 8 : at + 16])
        end = at + size if size else len(head)
        if end < at + 8:
            return
        yield at, head[at + 4 : at + 8], end
        at = end
