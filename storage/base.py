"""What Ferry asks of an object storage, and how a storage says no. A backend is one file beside this one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from problems import Problem
from storage.parts import Observer


class StorageError(Problem):
    """The storage did not take the file. `permanent` says whether trying again can help."""

    status, title = 502, "The storage failed"
    permanent: ClassVar[bool] = True

    def __init__(
        self, detail: str | None = None, *, code: str = "", message: str = "", text: str = "", **fields: Any
    ) -> None:
        """`code` and `message` are the storage's own; the message is for the log and `flask doctor` only.

        `text`: all that it said, which is never shown.
        """
        super().__init__(detail, **fields)
        self.code, self.message, self.text = code, message, text

    @property
    def cause(self) -> str:
        """What happened, in the storage's own words where it has any. For the log."""
        words = [self.code, self.message] if self.code or self.message else [self.detail or ""]
        return ": ".join(word for word in words if word)


class StorageUnavailable(StorageError):
    """The storage can't be reached, is too busy or does not answer. Try again later."""

    status, title, retry_after = 503, "The storage is not available", 10
    permanent = False


class StorageNoUpload(StorageUnavailable):
    """The storage does not know this upload in parts any more: it has ended, or its parts were removed. Try again."""

    title = "The upload was removed"


class StorageClockSkew(StorageUnavailable):
    """The clocks of the server and of its storage are too far apart. The operator has to set one: `flask doctor`."""

    title = "The clock is wrong"


class StorageQuotaExceeded(StorageUnavailable):
    """The storage is full, or its quota is used up. Try again once the operator has made room there."""

    status, title, retry_after = 507, "The storage's quota is used up", 60


class StorageMismatch(StorageError):
    """What the storage holds is not what was sent, or is not there. The file does not count as stored."""

    title = "The storage holds other bytes"
    permanent = False


class StorageDenied(StorageError):
    """The storage refused the server's credentials or rights. The operator has to mend this: `flask doctor`."""

    title = "The storage refused access"


class StorageMissing(StorageError):
    """The storage has no such object. It was deleted, or its upload never ended well."""

    title = "No such object"


class ObjectMissing(StorageMissing):
    """The file was stored, and something else has removed its object since. Upload the file again."""

    status, title = 404, "The stored object is missing"


class StorageNoBucket(StorageError):
    """The storage has no such bucket. The operator has to mend this: `flask doctor`."""

    title = "No such bucket"


class StorageRejected(StorageError):
    """The storage refused the object as it is, for instance as too large for it."""

    title = "The storage rejected the file"


class StorageUnsupported(StorageError):
    """The storage does not support a request like this one. The operator has to mend this: `flask doctor`."""

    title = "The storage does not support the request"


class StorageWrongRegion(StorageError):
    """The bucket is in another region than the server asks. The operator has to mend this: `flask doctor`."""

    title = "The bucket is in another region"


@dataclass(frozen=True)
class Stat:
    """What the storage says of one object: its key, its size in bytes, its digest as the storage gives it.

    `version` is the storage's name for these bytes, where the bucket keeps versions.
    """

    key: str
    size: int
    etag: str
    version: str | None = None


@dataclass(frozen=True)
class MultipartUpload:
    """An upload in parts that has been begun and not ended: the key it is for, and the storage's name for it."""

    key: str
    id: str


@dataclass(frozen=True)
class Check:
    """One finding of a storage's self-examination: what was looked at, whether it is well, what to do if not."""

    subject: str
    ok: bool
    detail: str


class Stream(Protocol):
    """Readable bytes that hold something, a connection say, until they are read to the end or closed."""

    def __iter__(self) -> Iterator[bytes]: ...

    def __next__(self) -> bytes: ...

    def close(self) -> None:
        """Let go of it. May be repeated."""


class Storage(ABC):
    """Objects by key. All methods may be called from any thread; every failure is a StorageError."""

    @abstractmethod
    def put(
        self,
        key: str,
        stream: Iterator[bytes],
        *,
        max_bytes: int | None = None,
        content_type: str,
        disposition: str | None = None,
        observer: Observer | None = None,
        attempt: int = 0,
    ) -> Stat:
        """Store all that `stream` yields under `key`, in memory that does not grow with its length.

        `bound` is the most bytes that will come, where that is known. `content_type` and `disposition` are the headers
        that the object is given out with, where the storage keeps them. An object that is there is replaced. The
        object is asked for afterwards and compared (StorageMismatch). What `stream` raises comes through as it is,
        and leaves no object and no part of one behind; so does what `witness` raises, who sees all that is stored,
        and hears of each piece as soon as the storage has acknowledged it.

        `attempt` is which one at these bytes this is, from 1 on, where another may follow; `bound` is their number
        then. A failure that may pass leaves parts behind, and attempts after the first send only what is missing.
        """

    @abstractmethod
    def stat(self, key: str) -> Stat:
        """Raises StorageMissing."""

    @abstractmethod
    def open(self, key: str, start: int = 0, length: int | None = None, *, size: int | None = None) -> Stream:
        """Yield `length` bytes from byte `start` on, or all to the end, in memory that does not grow with them.

        `size` is what the whole object has to have. Raises StorageMissing or StorageMismatch before the first byte, and
        StorageUnavailable wherever it ends too early.
        """

    @abstractmethod
    def delete(self, key: str, version: str | None = None) -> None:
        """Remove the object, or this version of it for good. One that is not there is no error."""

    @abstractmethod
    def list_objects(self, prefix: str = "") -> Iterator[Stat]:
        """Yield the objects whose keys start with `prefix`, in the order of their keys."""

    @abstractmethod
    def matches(self, key: str, size: int, stream: Iterator[bytes]) -> Stat | None:
        """The object, if it is there and the storage's own digest proves that it is what `stream` yields.

        `size` is how many bytes that is, and was known when the object was put. A storage that gives no digest that
        can be compared proves nothing. The stream is read only where it may prove something.
        """

    @abstractmethod
    def multipart_uploads(self, prefix: str = "") -> Iterator[MultipartUpload]:
        """Yield the uploads in parts that have not ended, for keys that start with `prefix`."""

    @abstractmethod
    def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """End such an upload, and remove its parts. One that has ended is no error."""

    @abstractmethod
    def url(self, key: str) -> str:
        """The public address of an object, whether or not it is there. Raises StorageError."""

    @abstractmethod
    def presigned_url(self, key: str, expires: int, *, content_type: str, disposition: str) -> str:
        """An address that gives the object, with these headers, to whoever has it, for `expires` seconds."""

    @abstractmethod
    def diagnose(self) -> Iterator[Check]:
        """Look at all that the service will need: reach, rights, the bucket, a write. Leaves nothing behind."""

    def close(self) -> None:  # noqa: B027
        """Give connections and threads back. The next use makes new ones."""
