"""The interface of an object storage, and the errors a storage raises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from problems import Problem
from storage.upload import Stat as Stat
from storage.upload import Upload as Upload


class StorageError(Problem):
    """The storage rejected the request or sent an invalid response. The operator finds the cause: `flask doctor`."""

    status, title = 502, "Storage error"
    permanent: ClassVar[bool] = True
    """Whether a retry is pointless; if false, the file is retried later."""

    def __init__(
        self, detail: str | None = None, *, code: str = "", message: str = "", text: str = "", **fields: Any
    ) -> None:
        """`code`, `message`: the storage's own; the message is for the log and `flask doctor` only.

        `text`: the whole response body, which is never shown.
        """
        super().__init__(detail, **fields)
        self.code, self.message, self.text = code, message, text

    @property
    def cause(self) -> str:
        """The storage's code and message, else the detail. For the log."""
        texts = [self.code, self.message] if self.code or self.message else [self.detail or ""]
        return ": ".join(text for text in texts if text)


class StorageUnavailable(StorageError):
    """The storage is unreachable, overloaded or does not respond. Retry later."""

    status, title, retry_after = 503, "Storage unavailable", 10
    permanent = False


class StorageNoUpload(StorageUnavailable):
    """The storage does not know this multipart upload any more: it has ended, or its parts were removed. Retry."""

    title = "Multipart upload not found"


class StorageClockSkew(StorageUnavailable):
    """The clocks of the server and of its storage differ too much. The operator must set one: see `flask doctor`."""

    title = "Clock skew"


class StorageQuotaExceeded(StorageUnavailable):
    """The storage is full, or its quota is used up. Retry once the operator has freed space there."""

    status, title, retry_after = 507, "Storage quota exceeded", 60


class StorageMismatch(StorageError):
    """The stored object differs from the bytes that were sent, or does not exist. The file does not count as stored."""

    title = "Stored object does not match"
    permanent = False


class StorageDenied(StorageError):
    """The storage rejected the server's credentials or permissions. The operator must fix this: see `flask doctor`."""

    title = "Storage access denied"


class StorageMissing(StorageError):
    """The storage has no such object. It was deleted, or its upload never succeeded."""

    title = "Object not found"


class ObjectMissing(StorageMissing):
    """The file was stored, and its object was later removed from outside Ferry. Upload the file again."""

    status, title = 404, "Stored object missing"


class StorageNoBucket(StorageError):
    """The storage has no such bucket. The operator must fix this: see `flask doctor`."""

    title = "Bucket not found"


class StorageRejected(StorageError):
    """The storage rejected the object, for example because it is too large."""

    title = "Object rejected by the storage"


class StorageUnsupported(StorageError):
    """The storage does not support the request. The operator must fix this: see `flask doctor`."""

    title = "Request not supported by the storage"


class StorageWrongRegion(StorageError):
    """The bucket is in another region than the configured one. The operator must fix this: see `flask doctor`."""

    title = "Wrong bucket region"


@dataclass(frozen=True)
class MultipartUpload:
    """An unfinished multipart upload: the object's key and the storage's upload id."""

    key: str
    id: str


@dataclass(frozen=True)
class Check:
    """One line of `flask doctor`."""

    subject: str
    ok: bool
    detail: str
    """The finding and, if not `ok`, the remedy."""


class Stream(Protocol):
    """Chunks of bytes that hold a resource, such as a connection, until read to the end or closed."""

    def __iter__(self) -> Iterator[bytes]: ...

    def __next__(self) -> bytes: ...

    def close(self) -> None:
        """Free the resource. May be called again."""


class Storage(ABC):
    """Objects by key. Thread-safe; every failure raises a StorageError."""

    prefix = ""
    """Prefix of the keys of new objects. Keys are passed and returned whole, with whatever prefix they have."""

    @abstractmethod
    def upload(
        self,
        key: str,
        *,
        content_type: str,
        disposition: str | None = None,
        max_bytes: int | None = None,
        attempt: int = 0,
    ) -> Upload:
        """Return the handle of a new upload to `key`, in constant memory; `complete` replaces an existing object.

        `content_type`, `disposition`: headers of the object, if the storage keeps them. `max_bytes`: upper bound of its
        length; None if unknown.

        `attempt`: number of this attempt, from 1 on, if another may follow; `max_bytes` is then the exact length. A
        temporary failure leaves the parts, and later attempts send only the missing ones. 0: a single attempt.
        """

    def put(self, key: str, stream: Iterator[bytes], **options: Any) -> Stat:
        """Upload a whole stream, with the options of `upload`."""
        with self.upload(key, **options) as upload:
            for part in upload.split(stream):
                upload.write(part)
            return upload.complete()

    @abstractmethod
    def stat(self, key: str) -> Stat:
        """Return the object's Stat. Raises StorageMissing."""

    @abstractmethod
    def open(self, key: str, start: int = 0, length: int | None = None, *, size: int | None = None) -> Stream:
        """Stream `length` bytes from byte `start` on, by default to the end, in constant memory.

        `size`: expected size of the whole object. Raises StorageMissing or StorageMismatch before the first byte, and
        StorageUnavailable wherever the stream ends early.
        """

    @abstractmethod
    def delete(self, key: str, version: str | None = None) -> None:
        """Delete the object, or one version of it permanently; a missing one is not an error."""

    @abstractmethod
    def list_objects(self, prefix: str = "") -> Iterator[Stat]:
        """Yield the objects whose keys start with `prefix`, ordered by key."""

    @abstractmethod
    def matches(self, key: str, size: int, stream: Iterator[bytes]) -> Stat | None:
        """Return the object if the storage's own digest proves that it equals the stream; None otherwise.

        `size`: length of the stream, which was known when the object was put. Without a comparable digest the result is
        None. The stream is read only if a comparison is possible.
        """

    @abstractmethod
    def multipart_uploads(self, prefix: str = "") -> Iterator[MultipartUpload]:
        """Yield the unfinished multipart uploads for keys that start with `prefix`."""

    @abstractmethod
    def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        """Abort the upload and remove its parts; an ended upload is not an error."""

    @abstractmethod
    def url(self, key: str) -> str:
        """Return the public URL for a key, whether or not the object exists. Raises StorageError."""

    @abstractmethod
    def presigned_url(self, key: str, expires: int, *, content_type: str, disposition: str) -> str:
        """Return a URL that serves the object with these headers, without credentials, for `expires` seconds."""

    @abstractmethod
    def diagnose(self) -> Iterator[Check]:
        """Check all that the service needs: connection, permissions, bucket, a write. Leaves nothing behind."""

    def close(self) -> None:  # noqa: B027
        """Close connections and threads. The next use creates new ones."""
