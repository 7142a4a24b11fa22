"""The few pieces of S3's XML that Ferry reads and writes itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape, unescape

from storage.s3.checksums import UploadedPart

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def element_text(name: str, text: str) -> str:
    """Return the text of the first element called `name`; empty if absent."""
    found = re.search(f"<{name}>([^<]*)</{name}>", text)
    return unescape(found[1]) if found else ""


def complete_body(parts: Sequence[UploadedPart]) -> bytes:
    """Return the body of CompleteMultipartUpload for these parts, in order."""
    items = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{escape(part.etag)}&quot;</ETag>"
        + (f"<ChecksumCRC32>{part.crc32}</ChecksumCRC32>" if part.crc32 else "")
        + "</Part>"
        for number, part in enumerate(parts, 1)
    )
    return f'<CompleteMultipartUpload xmlns="{_NAMESPACE}">{items}</CompleteMultipartUpload>'.encode()
