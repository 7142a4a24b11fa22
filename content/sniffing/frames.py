"""Streams without a file header: MPEG frames and packets, each with a sync word of a few bits.

A sync word that is frequent in random data counts only if the next one is at the right distance.
"""

from __future__ import annotations

_ID3 = b"ID3"
_AAC, _MPEG = "audio/aac", "audio/mpeg"
_COMMON = {
    **dict.fromkeys((b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"), _MPEG),
    **dict.fromkeys((b"\xff\xf1", b"\xff\xf9"), _AAC),
}
"""Sync words of nearly all such files. One is enough."""

# Rates in kbit/s by index, for MPEG 1 and for MPEG 2 and 2.5, of layers II and III (ISO/IEC 11172-3, 13818-3).
_RATES = {
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLES = (44100, 48000, 32000)
_PACKETS = ((0, 188), (4, 192))
"""Offset and distance of the sync bytes of MPEG transport streams: plain, and with a timestamp before each packet."""


def detect(head: bytes) -> str | None:
    """Return the type of MPEG audio or of an MPEG transport stream, or None."""
    if head.startswith(_ID3):
        return _after_tag(head)
    if any(_has_packets(head, *packet) for packet in _PACKETS):
        return "video/mp2t"
    return _audio(head)


def _after_tag(head: bytes) -> str:
    """Skip an ID3 tag, which may precede other audio than MP3; its size has seven bits a byte (ID3v2 §3.1)."""
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    rest = head[10 + size :]
    if rest.startswith(b"fLaC"):
        return "audio/x-flac"
    return _audio(rest) or _MPEG


def _audio(head: bytes) -> str | None:
    if head[:1] != b"\xff" or len(head) < 4:
        return None
    if head[1] & 0xF6 == 0xF0:
        found, length = _AAC, (head[3] & 3) << 11 | int.from_bytes(head[4:6]) >> 5
    else:
        found, length = _MPEG, _mpeg_length(head)
    if not length:
        return None
    return found if head[:2] in _COMMON or _has_next_frame(head, length) else None


def _has_next_frame(head: bytes, length: int) -> bool:
    return head[length : length + 1] == b"\xff" and (head[length + 1 : length + 2] == head[1:2])


def _mpeg_length(head: bytes) -> int:
    """Return the length of the first frame in bytes; 0 if it is not a frame of layer II or III."""
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    rate, sampling = head[2] >> 4, head[2] >> 2 & 3
    if head[1] & 0xE0 != 0xE0 or version == 1 or layer not in (2, 3) or not 0 < rate < 15 or sampling == 3:
        return 0
    is_first = version == 3
    hertz = _SAMPLES[sampling] >> (0 if is_first else 1 if version == 2 else 2)
    samples = 1152 if is_first or layer == 2 else 576
    return samples // 8 * _RATES[is_first, layer][rate - 1] * 1000 // hertz + (head[2] >> 1 & 1)


def _has_packets(head: bytes, at: int, distance: int) -> bool:
    sync = head[at::distance][:8]
    return len(sync) >= 3 and sync.count(0x47) == len(sync)
