"""The first bytes of files as real programs write them, built from their parts."""

from __future__ import annotations

import random
import struct
import zlib

NOISE = random.Random(7).randbytes(8192)
XML = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>' + b"<part/>" * 40


def entry(
    name: str, content: bytes = XML, *, packed: bool = True, streamed: bool = False, marked: bool = True
) -> bytes:
    """A ZIP entry. `streamed`: its size follows it, behind a mark unless `marked` is False."""
    data = _deflated(content) if packed and content else content
    size, method, raw = len(data), 8 if packed and content else 0, name.encode()
    sizes = (0, 0, 0) if streamed else (zlib.crc32(content), size, len(content))
    head = struct.pack("<4sHHHIIIIHH", b"PK\3\4", 20, 8 if streamed else 0, method, 0, *sizes, len(raw), 0) + raw
    tail = struct.pack("<III", zlib.crc32(content), size, len(content)) if streamed else b""
    return head + data + (b"PK\7\x08" if streamed and marked else b"") + tail


def _deflated(content: bytes) -> bytes:
    """Raw deflate; incompressible data is stored."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


def package(*names: str, **how: bool) -> bytes:
    """Entries in this order; a name with a slash at its end is a folder."""
    return b"".join(entry(name, b"" if name.endswith("/") else XML, **how) for name in names)


def box(name: bytes, content: bytes = b"") -> bytes:
    """An ISO BMFF box."""
    return struct.pack(">I4s", 8 + len(content), name) + content


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    """A file type box, and the beginning of what follows it."""
    return box(b"ftyp", major + bytes(4) + b"".join(compatible)) + box(b"free") + b"\0\1\0\0mdat" + NOISE


def movie(*handlers: bytes) -> bytes:
    """A movie box with a track for each handler."""
    return box(b"moov", b"".join(box(b"trak", box(b"hdlr", bytes(8) + handler + bytes(13))) for handler in handlers))


def ebml(doc_type: bytes, *codecs: bytes) -> bytes:
    """A Matroska file with a track for each codec."""
    tracks = b"".join(_element(b"\xae", _element(b"\x86", codec)) for codec in codecs)
    head = _element(b"\x42\x86", b"\1") + _element(b"\x42\x82", doc_type)
    segment = b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"
    return _element(b"\x1a\x45\xdf\xa3", head) + segment + _element(b"\x16\x54\xae\x6b", tracks) + NOISE


def _element(id: bytes, content: bytes) -> bytes:
    return id + struct.pack(">H", 0x4000 | len(content)) + content


def ogg(*packets: bytes) -> bytes:
    """An Ogg file whose streams begin with these packets."""
    pages = (
        b"OggS\0\2" + bytes(8) + struct.pack("<III", number, 0, 0) + bytes((1, len(packet))) + packet
        for number, packet in enumerate(packets)
    )
    return b"".join(pages) + b"OggS\0\0" + bytes(20) + b"\1\x1e" + NOISE


def asf(*streams: str) -> bytes:
    """An ASF file whose streams are of these types."""
    guids = {"sound": "409e69f84d5bcf11a8fd00805f5c442b", "pictures": "c0ef19bc4d5bcf11a8fd00805f5c442b"}
    properties = bytes.fromhex("9107dcb7b7a9cf118ee600c00c205365")
    objects = b"".join(properties + bytes(8) + bytes.fromhex(guids[stream]) + bytes(40) for stream in streams)
    return bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(14) + objects + NOISE


def frames(start: bytes, length: int) -> bytes:
    """A stream of frames that begin alike."""
    return (start + NOISE)[:length] * 8


def compound(*sectors: bytes, streams: tuple[str, ...] = ()) -> bytes:
    """An OLE2 file: its header, these sectors of 512 bytes, then the directory if there are `streams`."""
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + b"\x3e\0\3\0\xfe\xff\x09\0\6\0"
    names = ("Root Entry", *streams) if streams else ()
    directory = b"".join(_directory_entry(name, 5 if name == "Root Entry" else 2) for name in names)
    return head.ljust(512, b"\0") + b"".join(sector.ljust(512, b"\0") for sector in sectors) + directory


def _directory_entry(name: str, kind: int) -> bytes:
    raw = name.encode("utf-16-le") + b"\0\0"
    return (raw.ljust(64, b"\0") + struct.pack("<HB", len(raw), kind)).ljust(128, b"\0")
