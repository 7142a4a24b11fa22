"""Which checksum a storage accepts: S3_CHECKSUM, or a weaker one after a rejection."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from typing import TypeVar

from storage.base import StorageError, StorageRejected, StorageUnsupported

log = logging.getLogger("ferry.storage")
T = TypeVar("T")

_WEAKER = {"crc32": "md5", "md5": "none"}
_CHECKSUM = re.compile(r"checksum|content-md5", re.IGNORECASE)


class ChecksumNegotiation:
    """The checksum sent with the bytes; `kind` is crc32, md5 or none. Remembers what the storage rejects."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._lock = threading.Lock()

    def send(self, send: Callable[[str], T]) -> T:
        """Return `send(kind)`, repeated with a weaker kind while the storage rejects the checksum.

        A weaker kind is remembered only after it succeeded. Raises the first rejection if none succeeds. The ETag is
        compared with every kind.
        """
        kind, first = self.kind, None
        while True:
            try:
                result = send(kind)
            except StorageError as error:
                first = first or error
                if kind not in _WEAKER or not may_reject_checksum(error):
                    raise first from error.__cause__
                kind = _WEAKER[kind]
            else:
                if first:
                    self._remember(kind, first)
                return result

    def _remember(self, kind: str, rejection: StorageError) -> None:
        with self._lock:
            before, self.kind = self.kind, kind
        if before != kind:
            log.warning("storage.checksum_rejected: S3_CHECKSUM=%s (%s), using %s", before, rejection.cause, kind)


def may_reject_checksum(error: StorageError) -> bool:
    """Return whether the checksum header may be the reason: a 400 names the header, a 501 not everywhere."""
    if isinstance(error, StorageUnsupported):
        return error.code != "SecondLevelDomainForbidden"
    return isinstance(error, StorageRejected) and bool(_CHECKSUM.search(error.text))
