"""Several files as one zip archive, made while it is sent. The only file that knows zipstream.

Members are stored, not compressed: most of what people upload is compressed already, it costs no CPU, and the length of
the archive is known before its first byte, so that clients see how far they are and notice an archive that was cut. The
CRC of a member is known only when it has passed, and stands behind it (APPNOTE 4.3.9).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from zipstream import ZipStream

from api.streaming import enforce_length, log_failures
from content.filenames import archive_names
from storage import Stream


@dataclass(frozen=True)
class Member:
    """A file for an archive: its id, its name, its size in bytes, and what opens it when its turn has come."""

    id: str
    name: str
    size: int
    open: Callable[[], Stream]


def zip_stream(members: Sequence[Member]) -> tuple[int, Generator[bytes]]:
    """The length of the archive, and its bytes, in memory that grows with the number of members alone.

    A member that fails ends the iterator with its error. Closing the iterator closes the member that is open.
    """
    archive = ZipStream(sized=True)
    for name, member in zip(archive_names(member.name for member in members), members, strict=True):
        archive.add(log_failures(_bytes(member), member.id), name, size=member.size)
    return len(archive), archive.finalize()


def _bytes(member: Member) -> Iterator[bytes]:
    with closing(member.open()) as stream:
        yield from enforce_length(stream, member.size)
