"""ZIP archives by the names of their entries: Office documents, OpenDocument, EPUB, Java and Android programs.

Entries are followed from one local header to the next, so that an archive that contains a .docx is not taken for one.
Nothing is decompressed.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

_ZIP = "application/zip"
_SIGNATURES = (b"PK\3\4", b"PK\5\6", b"PK\7\x08")
_SPLIT = b"PK\7\x08PK\3\4", b"PK00PK\3\4"
"""Signatures of split archives (APPNOTE.TXT 8.5.4)."""
_HEADER = struct.Struct("<4sHHHHHIIIHH")
_SIZE_FOLLOWS = 8

_OOXML = "application/vnd.openxmlformats-officedocument."
_OFFICE = {
    "word": _OOXML + "wordprocessingml.document",
    "xl": _OOXML + "spreadsheetml.sheet",
    "ppt": _OOXML + "presentationml.presentation",
}
_MAIN_PARTS = {
    b".wordprocessingml.": _OFFICE["word"],
    b".ms-word.": _OFFICE["word"],
    b".spreadsheetml.": _OFFICE["xl"],
    b".ms-excel.": _OFFICE["xl"],
    b".presentationml.": _OFFICE["ppt"],
    b".ms-powerpoint.": _OFFICE["ppt"],
}
_MAIN = re.compile(rb"application/vnd\.(?:openxmlformats-officedocument|(?=ms-))(\.?[a-z-]+\.)[\w.-]*?main\+xml")
_PACKAGE = re.compile(r"\[Content_Types\]\.xml$|_rels/|docProps/|customXml/")
"""Names in any package of the Open Packaging Conventions (ISO/IEC 29500-2)."""
_PART = re.compile(r"(word|xl|ppt)/")
_SURE_PART = re.compile(r"(word|xl|ppt)/(?:[\w/-]+\.(?:xml|bin|xml\.rels)$|_rels/|media/|theme/|worksheets/|slide)")
"""Parts that prove a document; a user's own folder may be called `word/` too."""

_STATED = re.compile(
    rb"application/(?:epub\+zip|vnd\.oasis\.opendocument\.[a-z-]{1,40}|vnd\.sun\.xml\.[a-z.]{1,40}|x-krita)|image/openraster"
)
_BY_NAME = (
    ("AndroidManifest.xml", "application/vnd.android.package-archive"),
    ("META-INF/MANIFEST.MF", "application/java-archive"),
    ("META-INF/container.xml", "application/epub+zip"),
)


class _Entry(NamedTuple):
    """A local file header. `content`: the part of a stored entry in the head, empty if compressed."""

    name: str
    content: bytes


def detect(head: bytes) -> str | None:
    """Return the type of a ZIP archive; `application/zip` if it is no known document."""
    if not head.startswith((*_SIGNATURES, *_SPLIT)):
        return None
    entries = list(_entries(head, 4 if head.startswith(_SPLIT) else 0))
    return _by_mimetype(entries) or _office(entries) or _by_name(entries) or _ZIP


def _by_mimetype(entries: list[_Entry]) -> str | None:
    """Return the type in the entry `mimetype`, the first one (OpenDocument 1.3 part 2 §3.3, EPUB 3 OCF §4.2.6)."""
    content = next((entry.content for entry in entries if entry.name == "mimetype"), b"")
    stated = _STATED.fullmatch(content.strip())
    return stated and stated[0].decode()


def _office(entries: list[_Entry]) -> str | None:
    names = [entry.name for entry in entries]
    if sure := next(filter(None, map(_SURE_PART.match, names)), None):
        return _OFFICE[sure[1]]
    if not any(map(_PACKAGE.match, names)):
        return None
    if part := next(filter(None, map(_PART.match, names)), None):
        return _OFFICE[part[1]]
    types = next((entry.content for entry in entries if entry.name == "[Content_Types].xml"), b"")
    main = _MAIN.search(types)
    return _MAIN_PARTS.get(b"." + main[1].lstrip(b".")) if main else None


def _by_name(entries: list[_Entry]) -> str | None:
    names = {entry.name for entry in entries}
    return next((kind for name, kind in _BY_NAME if name in names), None)


def _entries(head: bytes, at: int) -> Iterator[_Entry]:
    """Yield the entries whose local header lies in the head (APPNOTE.TXT 4.3.7)."""
    while at >= 0 and len(head) >= at + _HEADER.size:
        signature, _, flags, method, _, _, _, packed, _, name_size, extra_size = _HEADER.unpack_from(head, at)
        if signature != b"PK\3\4":
            return
        named = at + _HEADER.size
        start = named + name_size + extra_size
        if flags & _SIZE_FOLLOWS and not packed:
            packed, following = _descriptor_size(head, start)
        else:
            following = start + packed
        content = b"" if method else head[start : start + packed]
        yield _Entry(head[named : named + name_size].decode("latin-1").replace("\\", "/"), content)
        at = following


def _descriptor_size(head: bytes, start: int) -> tuple[int, int]:
    """Return the size of an entry with a data descriptor, and the next header's offset; -1 if not in the head.

    The size must equal the distance (APPNOTE.TXT 4.3.9): headers of a nested archive are preceded by another size.
    """
    at = head.find(b"PK\3\4", start)
    while at >= 0:
        for size_at, overhead in ((at - 8, 16), (at - 8, 12), (at - 16, 24), (at - 16, 20)):
            size = at - start - overhead
            if size >= 0 and int.from_bytes(head[size_at : size_at + 4], "little") == size:
                return size, at
        at = head.find(b"PK\3\4", at + 4)
    return len(head) - start, -1
