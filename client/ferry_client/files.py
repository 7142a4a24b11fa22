"""A file as the server shows it."""

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
    """One upload. Sizes are bytes, times are UTC; what is not known yet is None. `error` is why it ended as ERROR."""

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
    def ended(self) -> bool:
        """Whether its status will not change by itself."""
        return self.status in ("COMPLETE", "ERROR")

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> File:
        """What an answer says. Members that this version does not know are left out."""
        known = {name: answer[name] for name in _NAMES if name in answer}
        times = {name: datetime.fromisoformat(known[name]) for name in _TIMES if known.get(name)}
        return cls(**known | times)

    def as_json(self) -> dict[str, Any]:
        """The same as from_json() takes."""
        found = {name: getattr(self, name) for name in _NAMES}
        return found | {name: _rfc3339(found[name]) for name in _TIMES if found[name]}


@dataclass(frozen=True)
class Link:
    """An address at the storage from which anyone can GET a file, without a key, until `expires_at`."""

    url: str
    expires_at: datetime

    def as_json(self) -> dict[str, Any]:
        """The same as the server sends."""
        return {"url": self.url, "expires_at": _rfc3339(self.expires_at)}


_NAMES = tuple(item.name for item in fields(File))


def _rfc3339(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
