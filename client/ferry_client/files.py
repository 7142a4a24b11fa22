"""A file as the server's JSON describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

Mode = Literal["normal", "async", "celery"]
Status = Literal["PENDING", "PROCESSING", "COMPLETE", "ERROR"]

_TIMES = ("expires_at", "created_at", "updated_at")


@dataclass(frozen=True)
class File:
    """One upload. Sizes are bytes, times are UTC, unknown values are None. `error`: why its status is ERROR."""

    id: str
    name: str
    status: Status
    mode: Mode
    size: int | None = None
    content_type: str | None = None
    detected_type: str | None = None
    sha256: str | None = None
    url: str | None = None
    received_bytes: int | None = None
    stored_bytes: int | None = None
    error: str | None = None
    error_detail: str | None = None
    version_id: str | None = None
    expires_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    links: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def is_final(self) -> bool:
        """Whether the status is COMPLETE or ERROR."""
        return self.status in ("COMPLETE", "ERROR")

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> File:
        """Build a File from the server's JSON object. Unknown members are ignored."""
        known = {name: members[name] for name in _NAMES if name in members}
        times = {name: datetime.fromisoformat(known[name]) for name in _TIMES if known.get(name)}
        return cls(**known | times)

    def to_json(self) -> dict[str, Any]:
        """Return the object that from_json() takes."""
        members = {name: getattr(self, name) for name in _NAMES}
        return members | {name: _rfc3339(members[name]) for name in _TIMES if members[name]}


@dataclass(frozen=True)
class Link:
    """A presigned URL: GET needs no key until `expires_at`."""

    url: str
    expires_at: datetime

    def to_json(self) -> dict[str, Any]:
        """Return the object that the server sends."""
        return {"url": self.url, "expires_at": _rfc3339(self.expires_at)}


_NAMES = tuple(item.name for item in fields(File))


def _rfc3339(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
