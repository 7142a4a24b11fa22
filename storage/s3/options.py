"""How S3 is spoken to one storage: addressing, region, encryption, and the digest that goes with the bytes."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from storage.base import StorageError, StorageRejected, StorageUnsupported

log = logging.getLogger("ferry.storage")
T = TypeVar("T")

SSE, SSE_KEY = "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"
_WEAKER = {"crc32": "md5", "md5": "none"}
_CHECKSUM = re.compile(r"checksum|content-md5", re.IGNORECASE)


@dataclass(frozen=True)
class S3Options:
    """The settings about it: S3_ADDRESSING, the region (empty: boto3's own), S3_CHECKSUM, S3_SSE, S3_SSE_KMS_KEY_ID."""

    addressing: str = "auto"
    region: str = ""
    checksum: str = "crc32"
    encryption: str = ""
    kms_key: str = ""

    def style(self, bucket: str, endpoint: str) -> str:
        """`path` or `virtual`. A bucket with a dot in its name matches no certificate as a host."""
        if self.addressing != "auto":
            return self.addressing
        return "path" if endpoint or "." in bucket else "virtual"

    @property
    def encrypted(self) -> dict[str, str]:
        """The headers that ask for encryption, of a PUT or of what begins an upload in parts."""
        return ({SSE: self.encryption} if self.encryption else {}) | ({SSE_KEY: self.kms_key} if self.kms_key else {})


class Checksums:
    """The digest that is sent with the bytes: `kind` is crc32, md5 or none. Learns once what the storage refuses."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._lock = threading.Lock()

    def sent(self, send: Callable[[str], T]) -> T:
        """What `send(kind)` returns, with a weaker kind where the storage refuses this one.

        That is remembered only once it has helped. Raises the first refusal where it has not. The ETag is compared
        whatever is sent.
        """
        kind, first = self.kind, None
        while True:
            try:
                found = send(kind)
            except StorageError as error:
                first = first or error
                if kind not in _WEAKER or not refuses_checksum(error):
                    raise first from error.__cause__
                kind = _WEAKER[kind]
            else:
                if first:
                    self._learn(kind, first)
                return found

    def _learn(self, kind: str, refusal: StorageError) -> None:
        with self._lock:
            before, self.kind = self.kind, kind
        if before != kind:
            log.warning("the storage refuses S3_CHECKSUM=%s (%s): %s from now on", before, refusal.cause, kind)


def refuses_checksum(error: StorageError) -> bool:
    """Whether a refusal may be one of the checksum's headers: 501 names no header everywhere, 400 does."""
    if isinstance(error, StorageUnsupported):
        return error.code != "SecondLevelDomainForbidden"
    return isinstance(error, StorageRejected) and bool(_CHECKSUM.search(error.text))
