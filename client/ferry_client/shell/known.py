"""Which of the files to send the server has already."""

from __future__ import annotations

import threading
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ferry_client.ferry import Ferry
from ferry_client.files import File
from ferry_client.shell.folders import Local, sha256_of

_ENOUGH = 0.9


class Known:
    """What the server has COMPLETE of these files. Each of its files stands for one of ours: twins are both sent."""

    def __init__(self, ferry: Ferry, locals: Sequence[Local], expires_in: int | None = None) -> None:
        """Asks for all files of the server, or name by name where that is less.

        Only those count that stay as long as ours would: `expires_in` seconds from now; None: for good.
        """
        self._files: dict[tuple[str, int], list[File]] = defaultdict(list)
        self._lock = threading.Lock()
        names = {shown_name(local.path.name) for local in locals if local.path and local.size is not None}
        for file in _listed(ferry, names) if names else ():
            if file.name in names and file.size is not None and file.sha256 and _stays(file, expires_in):
                self._files[file.name, file.size].append(file)

    def take(self, local: Local) -> File | None:
        """The server's file that is this one, by name, size and bytes. It is read only if name and size fit.

        What can be read only once is none of them.
        """
        if local.path is None or local.size is None:
            return None
        candidates = self._files.get((shown_name(local.path.name), local.size))
        if not candidates:
            return None
        digest = sha256_of(local.path)
        with self._lock:
            same = next((file for file in candidates if file.sha256 == digest), None)
            if same:
                candidates.remove(same)
        return same


def _stays(file: File, expires_in: int | None) -> bool:
    """Whether it is there for as long as is asked for, or a tenth less: a command that was cut has to go on."""
    if file.expires_at is None or expires_in is None:
        return file.expires_at is None
    return (file.expires_at - datetime.now(UTC)).total_seconds() >= expires_in * _ENOUGH


def _listed(ferry: Ferry, names: set[str]) -> Iterator[File]:
    most = 100 * max(len(names), 10)
    for number, file in enumerate(ferry.list(status="COMPLETE")):
        if number == most:
            break
        yield file
    else:
        return
    for name in sorted(names):
        yield from ferry.list(status="COMPLETE", prefix=name)


def shown_name(name: str) -> str:
    """A name as the server shows it (but for controls, which it drops: such a file is sent again, no more)."""
    return unicodedata.normalize("NFC", name.encode(errors="replace").decode()).strip()
