"""Objects in process memory: for tests, and to try Ferry without a storage. Lost when the process ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

from storage.base import Check, MultipartUpload, Stat, Storage, StorageMismatch, StorageMissing, Stream, Upload
from storage.parts import DEFAULT_PART, Buffers, Part

_CHUNK = 1 << 20


@dataclass(frozen=True)
class MemorySettings:
    """None."""


class MemoryUpload(Upload):
    """Collects the parts."""

    def __init__(self, storage: MemoryStorage, key: str, headers: tuple[str, str | None]) -> None:
        super().__init__(repeat(DEFAULT_PART), storage.buffers)
        self._storage, self._key, self._headers = storage, key, headers
        self._bodies: list[bytes] = []

    def write(self, part: Part) -> None:
        self._bodies.append(bytes(part.body))
        self.stored += len(part.body)
        part.release()

    def complete(self) -> Stat:
        return self._storage.store(self._key, b"".join(self._bodies), self._headers)

    def close(self, error: BaseException | None = None) -> None:
        self._bodies.clear()


class MemoryStorage(Storage):
    """A dict of objects. Access to one entry is atomic, so threads need no lock."""

    def __init__(self, base_url: str = "memory:") -> None:
        self._base_url = base_url
        self._objects: dict[str, bytes] = {}
        self.headers: dict[str, tuple[str, str | None]] = {}
        self.buffers = Buffers()

    @classmethod
    def from_settings(cls, settings: MemorySettings) -> MemoryStorage:
        """Create an empty storage."""
        return cls()

    def upload(
        self,
        key: str,
        *,
        content_type: str,
        disposition: str | None = None,
        max_bytes: int | None = None,
        attempt: int = 0,
    ) -> MemoryUpload:
        return MemoryUpload(self, key, (content_type, disposition))

    def stat(self, key: str) -> Stat:
        body = self._get(key)
        return Stat(key, len(body), hashlib.md5(body, usedforsecurity=False).hexdigest())

    def open(self, key: str, start: int = 0, length: int | None = None, *, size: int | None = None) -> Stream:
        data = memoryview(self._get(key))
        if size not in (None, len(data)):
            raise StorageMismatch(f"The object has {len(data)} bytes instead of {size}.")
        body = data[start:] if length is None else data[start : start + length]
        return (bytes(body[at : at + _CHUNK]) for at in range(0, len(body), _CHUNK))

    def delete(self, key: str, version: str | None = None) -> None:
        self._objects.pop(key, None)
        self.headers.pop(key, None)

    def list_objects(self, prefix: str = "") -> Iterator[Stat]:
        return (self.stat(key) for key in sorted(self._objects) if key.startswith(prefix))

    def matches(self, key: str, size: int, stream: Iterator[bytes]) -> Stat | None:
        return self.stat(key) if self._objects.get(key) == b"".join(stream) else None

    def multipart_uploads(self, prefix: str = "") -> Iterator[MultipartUpload]:
        return iter(())

    def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        pass

    def url(self, key: str) -> str:
        return f"{self._base_url}/{key}"

    def presigned_url(self, key: str, expires: int, *, content_type: str, disposition: str) -> str:
        return f"memory:{key}"

    def diagnose(self) -> Iterator[Check]:
        yield Check("storage", True, "in memory: everything is lost when the process ends")

    def store(self, key: str, body: bytes, headers: tuple[str, str | None]) -> Stat:
        """Create or replace an object."""
        self._objects[key], self.headers[key] = body, headers
        return self.stat(key)

    def _get(self, key: str) -> bytes:
        try:
            return self._objects[key]
        except KeyError:
            raise StorageMissing(f"No object {key}.") from None
