"""The base of the objects in Ferry's answers: from JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True)
class JsonObject:
    """An object whose fields have the names of JSON members. Its times are annotated as `datetime`."""

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        """Build the object from the server's JSON object. Unknown members are ignored."""
        known = {item.name: members[item.name] for item in fields(cls) if item.name in members}
        times = {item.name for item in fields(cls) if str(item.type).startswith("datetime")}
        return cls(**known | {name: datetime.fromisoformat(known[name]) for name in times if known.get(name)})

    def to_json(self) -> dict[str, Any]:
        """Return the object that from_json() takes."""
        members = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: _rfc3339(value) if isinstance(value, datetime) else value for name, value in members.items()}


def _rfc3339(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
