"""Compound files (OLE2, MS-CFB): the documents of Office 97 to 2003, and related formats.

The directory names the streams of a document, but often lies after the head. Then a stream in the head determines the
type.
"""

from __future__ import annotations

import re

_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_UNKNOWN = "application/x-ole-storage"

_STREAMS = {
    name.encode("utf-16-le") + b"\0\0": kind
    for name, kind in (
        ("WordDocument", "application/msword"),
        ("Workbook", "application/vnd.ms-excel"),
        ("Book", "application/vnd.ms-excel"),
        ("PowerPoint Document", "application/vnd.ms-powerpoint"),
        ("VisioDocument", "application/vnd.visio"),
        ("__properties_version1.0", "application/vnd.ms-outlook"),
    )
}
_ROOT = "Root Entry".encode("utf-16-le")
_INSTALLERS = {bytes.fromhex(start + "100c0000000000c000000000000046") for start in ("84", "86")}
"""The root's class id in a Windows Installer package, and in a patch."""

_STREAM_STARTS = {
    b"\xec\xa5\xc1\0": "application/msword",
    b"\x09\x08\x10\0\0\x06\x05\0": "application/vnd.ms-excel",
    b"\x09\x08\x08\0\0\x05\x05\0": "application/vnd.ms-excel",
    b"\x0f\0\xe8\x03": "application/vnd.ms-powerpoint",
}
"""The first bytes of the main streams (MS-DOC 2.5.1, MS-XLS 2.4.21, MS-PPT 2.4.1)."""
_CLASSES = {
    b"Word.Document.": "application/msword",
    b"Excel.Sheet.": "application/vnd.ms-excel",
    b"PowerPoint.Show.": "application/vnd.ms-powerpoint",
    b"MS PowerPoint 97": "application/vnd.ms-powerpoint",
}
_CLASS = re.compile(b"|".join(map(re.escape, _CLASSES)))
"""Class names in the stream CompObj."""


def detect(head: bytes) -> str | None:
    """Return the type of a compound file; `application/x-ole-storage` if the head does not determine it."""
    if not head.startswith(_MARK):
        return None
    return _by_directory(head) or _by_streams(head) or _by_class(head) or _UNKNOWN


def _by_directory(head: bytes) -> str | None:
    """Use the directory entries in the head: each has 128 bytes and begins with its name.

    A document's own streams precede those of embedded objects.
    """
    for at in range(512, len(head) - 127, 128):
        entry = head[at : at + 128]
        size = int.from_bytes(entry[64:66], "little")
        if (found := _STREAMS.get(entry[:size])) and entry[66] == 2:
            return found
        if entry.startswith(_ROOT) and entry[80:96] in _INSTALLERS:
            return "application/x-msi"
    return None


def _by_streams(head: bytes) -> str | None:
    """Use a main stream that begins in the head, at a sector or a mini sector of 64 bytes."""
    starts = tuple(_STREAM_STARTS)
    found = (head[at : at + 8] for at in range(512, len(head), 64) if head.startswith(starts, at))
    return next((_STREAM_STARTS.get(start) or _STREAM_STARTS[start[:4]] for start in found), None)


def _by_class(head: bytes) -> str | None:
    found = _CLASS.search(head)
    return found and _CLASSES[found[0]]
