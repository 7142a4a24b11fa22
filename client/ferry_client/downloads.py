"""Downloads: continued where they were cut, compared by SHA-256. One to a path is in its place only then."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from ferry_client.bodies import PIECE, Progress
from ferry_client.errors import CutShort, Damaged, FerryError
from ferry_client.files import File
from ferry_client.partial import partial
from ferry_client.rate_limit import RateLimit
from ferry_client.retries import repeated
from ferry_client.wire import Wire


def fetch(
    wire: Wire, file: File, to: Path, patience: float, on_progress: Progress | None, limit: RateLimit | None
) -> None:
    """Bring the bytes of a COMPLETE `file` to `to`. What another call left of it there is not asked for again.

    Raises FerryError. Damaged is raised only for bytes that all came now: a left-over that does not fit is thrown away.
    """
    with partial(to.parent, file.id) as part:
        download = _Download(wire, file, part.stream, on_progress, limit)
        download.take_up()
        while not download.run(patience):
            began_with = download.began_with
            download.restart()
            if not began_with:
                raise Damaged(f"The bytes of {file.name} do not have the SHA-256 {file.sha256}.")
        part.become(to)


def pour(
    wire: Wire, file: File, stream: BinaryIO, patience: float, on_progress: Progress | None, limit: RateLimit | None
) -> None:
    """Write the bytes of a COMPLETE `file` to `stream`. Nothing that was written can be taken back.

    So it goes on after a break only where the server says, by If-Range, that these are the same bytes; elsewhere it
    raises CutShort. Raises Damaged where all that was written is not the file.
    """
    poured = _Poured(wire, file, stream, on_progress, limit)
    poured.tell()
    if not poured.run(patience):
        raise Damaged(f"What was written of {file.name} does not have the SHA-256 {file.sha256}.")


class _Download:
    """The part of one file that is here, and its SHA-256."""

    def __init__(
        self, wire: Wire, file: File, stream: BinaryIO, on_progress: Progress | None, limit: RateLimit | None
    ) -> None:
        self._wire, self._file, self._stream, self._on_progress, self._limit = wire, file, stream, on_progress, limit
        self._digest, self._here, self.began_with = hashlib.sha256(), 0, 0

    def take_up(self) -> None:
        """What is in the stream already."""
        self._stream.seek(0)
        while piece := self._stream.read(PIECE):
            self._count(piece)
        self.began_with = self._here
        self.tell()

    def restart(self) -> None:
        """From nothing."""
        self._stream.seek(0)
        self._stream.truncate()
        self._digest, self._here, self.began_with = hashlib.sha256(), 0, 0
        self.tell()

    def run(self, patience: float) -> bool:
        """Read on to the end; whether it is the file. A break is waited out as long as each try brings something."""
        while self._file.size is None or self._here < self._file.size:
            before = self._here
            try:
                repeated(self._read, patience, again=lambda before=before: self._here <= before)  # type: ignore[misc]
            except FerryError:
                if self._here <= before:
                    raise
                continue
            break
        return self._file.sha256 in (None, self._digest.hexdigest())

    def _read(self) -> None:
        """One answer. If-Range (RFC 9110 §13.1.5) has the server send all of it, should it be another one by now."""
        headers = {"Range": f"bytes={self._here}-", "If-Range": f'"{self._file.sha256}"'} if self._here else {}
        with self._wire.opened(f"/files/{self._file.id}/content", headers) as answer:
            if answer.status_code == 200 and self._here:
                self.restart()
            try:
                for piece in answer.iter_raw():  # As they come: what waits for a larger one gets lost.
                    self._stream.write(piece)
                    self._count(piece)
                    self.tell()
                    if self._limit:
                        self._limit.take(len(piece))
            finally:
                self._stream.flush()

    def _count(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._here += len(piece)

    def tell(self) -> None:
        """Report how many bytes are here."""
        if self._on_progress:
            self._on_progress(self._here, self._file.size)


class _Poured(_Download):
    """One whose bytes are gone once they are written."""

    def restart(self) -> None:
        raise CutShort(f"The server did not go on with {self._file.name} where it was cut. Only its beginning came.")
