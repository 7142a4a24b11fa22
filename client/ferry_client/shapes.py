"""The objects in Ferry's answers. Generated from the server's api/schemas.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ferry_client.json_object import JsonObject

Mode = Literal["normal", "async", "celery"]
Status = Literal["PENDING", "PROCESSING", "COMPLETE", "ERROR"]


@dataclass(frozen=True)
class File(JsonObject):
    """One upload. Times are RFC 3339 UTC, sizes bytes."""

    id: str
    """The file's id, a UUIDv7: ids sort by creation time."""
    name: str
    """The last path component of the name that was sent."""
    status: Status
    """PENDING: accepted, not claimed. PROCESSING: claimed by a worker. COMPLETE: stored and verified. ERROR: ended,
    see error."""
    mode: Mode
    """The mode of the upload: the first word of its endpoint."""
    size: int | None = None
    """Null until all bytes are received."""
    content_type: str | None = None
    """The type that the client declared."""
    detected_type: str | None = None
    """The type detected from the first bytes."""
    sha256: str | None = None
    """SHA-256 of the bytes, in hexadecimal. Null until all bytes are received."""
    url: str | None = None
    """The object's URL at the storage, once the file is COMPLETE."""
    received_bytes: int | None = None
    """Bytes received."""
    stored_bytes: int | None = None
    """Bytes acknowledged by the storage."""
    error: str | None = None
    """Why it failed or waits: the last segment of a problem's type, or client-disconnected."""
    error_detail: str | None = None
    """Details of the error for people, such as the storage's own code."""
    version_id: str | None = None
    """The object's version id, if the bucket is versioned."""
    expires_at: datetime | None = None
    """When the file is deleted automatically."""
    created_at: datetime | None = None
    """When the upload began."""
    updated_at: datetime | None = None
    """When the file last changed."""
    links: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Paths of this file."""


@dataclass(frozen=True)
class Link(JsonObject):
    """A presigned URL, which needs no key."""

    url: str
    """The URL at the storage."""
    expires_at: datetime
    """When the URL expires."""
