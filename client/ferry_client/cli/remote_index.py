"""Index of the server's COMPLETE files, to skip local files that are stored already."""

from __future__ import annotations

import threading
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ferry_client.cli.local_files import LocalFile, sha256_of
from ferry_client.ferry import Ferry
from ferry_client.files import File

_EXPIRY_TOLERANCE = 0.9
"""Part of the requested lifetime that is enough, so that an interrupted command can skip its earlier uploads."""


class RemoteIndex:
    """The server's copies of local files. Each copy matches one local file, so that duplicates are all sent."""

    def __init__(self, ferry: Ferry, locals: Sequence[LocalFile], expires_in: int | None = None) -> None:
        """List all files of the server, or query name by name if that takes fewer requests.

        Copies that expire before `expires_in` seconds from now are left out; None: all copies that expire.
        """
        self._files: dict[tuple[str, int], list[File]] = defaultdict(list)
        self._lock = threading.Lock()
        names = {stored_name(local.path.name) for local in locals if local.path and local.size is not None}
        for file in _candidates(ferry, names) if names else ():
            if file.name in names and file.size is not None and file.sha256 and _outlives(file, expires_in):
                self._files[file.name, file.size].append(file)

    def claim(self, local: LocalFile) -> File | None:
        """Return the server's copy of `local` by name, size and SHA-256, and remove it from the index.

        The local file is read only if name and size match. One that can be read only once never matches.
        """
        if local.path is None or local.size is None:
            return None
        candidates = self._files.get((stored_name(local.path.name), local.size))
        if not candidates:
            return None
        digest = sha256_of(local.path)
        with self._lock:
            match = next((file for file in candidates if file.sha256 == digest), None)
            if match:
                candidates.remove(match)
        return match


def _outlives(file: File, expires_in: int | None) -> bool:
    if file.expires_at is None or expires_in is None:
        return file.expires_at is None
    return (file.expires_at - datetime.now(UTC)).total_seconds() >= expires_in * _EXPIRY_TOLERANCE


def _candidates(ferry: Ferry, names: set[str]) -> Iterator[File]:
    max_listed = 100 * max(len(names), 10)
    for number, file in enumerate(ferry.list(status="COMPLETE")):
        if number == max_listed:
            break
        yield file
    else:
        return
    for name in sorted(names):
        yield from ferry.list(status="COMPLETE", prefix=name)


def stored_name(name: str) -> str:
    """Return a name as the server stores it, but with control characters, which it drops: such a file is sent again."""
    return unicodedata.normalize("NFC", name.encode(errors="replace").decode()).strip()
