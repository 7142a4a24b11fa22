"""The storage backends by name. A new one needs a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from storage.base import Storage
from storage.memory import MemorySettings, MemoryStorage
from storage.s3.settings import S3Settings
from storage.s3.storage import S3Storage


@dataclass(frozen=True)
class Backend:
    """A dataclass that declares the backend's settings (`config_types.setting`), and the factory that takes one."""

    settings: Callable[..., Any]
    create: Callable[[Any], Storage]


BACKENDS: Mapping[str, Backend] = {
    "s3": Backend(S3Settings, S3Storage.from_settings),
    "memory": Backend(MemorySettings, MemoryStorage.from_settings),
}
DEFAULT = "s3"
"""The backend that is used if STORAGE names none."""


def create(name: str, settings: Any) -> Storage:
    """Create the storage called `name`. Does not connect yet."""
    return BACKENDS[name].create(settings)
