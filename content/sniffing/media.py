"""Audio and picture containers that name their content: RIFF, IFF, Ogg, ASF."""

from __future__ import annotations

from collections.abc import Iterator

_RIFF = {
    b"WAVE": "audio/x-wav",
    b"AVI ": "video/x-msvideo",
    b"WEBP": "image/webp",
    b"RMID": "audio/midi",
    b"ACON": "application/x-navi-animation",
    b"sfbk": "audio/x-soundfont",
}
_FORM = {b"AIFF": "audio/x-aiff", b"AIFC": "audio/x-aiff", b"ILBM": "image/x-ilbm", b"DJVU": "image/vnd.djvu"}

_OGG_PICTURES = (b"\x80theora", b"BBCD\0", b"OVP80", b"\x80daala", b"\1video")
_OGG_FIRST, _OGG_HEAD = 2, 27

_ASF = bytes.fromhex("3026b2758e66cf11a6d9")
_ASF_SOUND, _ASF_PICTURES = (bytes.fromhex(guid) for guid in (
    "409e69f84d5bcf11a8fd00805f5c442b", "c0ef19bc4d5bcf11a8fd00805f5c442b",
))  # fmt: skip
"""Stream types (ASF specification 10.4)."""


def detect(head: bytes) -> str | None:
    """Return the type of a file in one of these containers, or None."""
    if head.startswith((b"RIFF", b"RF64", b"BW64", b"RIFX")):
        return _RIFF.get(head[8:12])
    if head.startswith((b"FORM", b"AT&TFORM")):
        start = head.index(b"FORM")
        return _FORM.get(head[start + 8 : start + 12].replace(b"DJVM", b"DJVU"))
    if head.startswith(b"OggS"):
        return "video/ogg" if any(packet.startswith(_OGG_PICTURES) for packet in _first_packets(head)) else "audio/ogg"
    if head.startswith(_ASF):
        is_sound = _ASF_SOUND in head and _ASF_PICTURES not in head
        return "audio/x-ms-wma" if is_sound else "video/x-ms-wmv"
    return None


def _first_packets(head: bytes) -> Iterator[bytes]:
    """Yield the start of each stream's first packet; all precede the other pages (RFC 3533 §4, §6)."""
    at = 0
    while head[at : at + 4] == b"OggS" and len(head) >= at + _OGG_HEAD and head[at + 5] & _OGG_FIRST:
        sizes = head[at + _OGG_HEAD : at + _OGG_HEAD + head[at + 26]]
        start = at + _OGG_HEAD + head[at + 26]
        yield head[start : start + 16]
        at = start + sum(sizes)
