"""The handle of an upload: parts in, a verified object out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from storage.parts import Buffers, Part, split


@dataclass(frozen=True)
class Stat:
    """An object as the storage describes it."""

    key: str
    size: int
    """Bytes."""
    etag: str
    """The storage's digest, without quotes."""
    version: str | None = None
    """Only if the bucket keeps versions."""


class Upload(ABC):
    """An object on its way to the storage. Leaving the `with` block before `complete` returned aborts the upload.

        with storage.upload(key, content_type="text/plain") as upload:
            for part in upload.split(stream):
                upload.write(part)
            stat = upload.complete()

    No object and no parts are left of a failed one, except those that a next attempt can use (`Storage.upload`). Only
    `stored` may be read by other threads.
    """

    stored = 0
    """Bytes that the storage has acknowledged so far."""

    def __init__(self, part_sizes: Iterator[int], buffers: Buffers) -> None:
        """`part_sizes`: bytes of each part in turn; only the last may have fewer."""
        self.part_sizes, self.buffers = part_sizes, buffers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.close(error)

    def split(self, stream: Iterator[bytes]) -> Iterator[Part]:
        """Yield the parts of a stream for `write`, in buffers of the storage."""
        return split(stream, self.part_sizes, self.buffers)

    @abstractmethod
    def write(self, part: Part) -> None:
        """Send the next part, and release it. The upload owns it from here on, whether or not this raises.

        Blocks while too many parts are in flight. Raises the first failure of any part.
        """

    @abstractmethod
    def complete(self) -> Stat:
        """Wait for all parts, create the object, verify it and return its Stat. Raises StorageMismatch if it differs.

        At least one part has been written, which may be empty.
        """

    @abstractmethod
    def close(self, error: BaseException | None = None) -> None:
        """End the upload, with the `error` that interrupted it. After `complete` this only frees memory."""
