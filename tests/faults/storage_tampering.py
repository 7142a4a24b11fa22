"""Responses of a storage that confirms bytes it dropped: only HEAD of the object detects it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

Body = Iterator[tuple[bytes, bool]]


def data_of(body: Body) -> bytes:
    """The data of a body."""
    return b"".join(piece for piece, is_data in body if is_data)


def digest(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def yes_to(name: str, data: bytes) -> bytes:
    """A success response to a request of this operation."""
    etag, xml = digest(data), ""
    if name == "complete_multipart":
        etag += "-2"
        xml = f"<CompleteMultipartUploadResult><ETag>&quot;{etag}&quot;</ETag></CompleteMultipartUploadResult>"
    head = f'HTTP/1.1 200 OK\r\nETag: "{etag}"\r\nContent-Type: application/xml\r\nContent-Length: {len(xml)}\r\n\r\n'
    return (head + xml).encode()
