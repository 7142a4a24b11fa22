"""A zip archive of several files, generated while it is sent. The only module that uses zipstream.

Members are stored, not compressed: most uploads are compressed already, it costs no CPU, and the length of the archive
is known before its first byte, so that clients show progress and detect a truncated archive. The CRC of a member is
known after its last byte, and follows it in a data descriptor (APPNOTE 4.3.9).
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
    """A file in an archive."""

    id: str
    name: str
    size: int
    """Bytes."""
    open: Callable[[], Stream]
    """Opens the object. Called when the archive reaches this member."""


def zip_stream(members: Sequence[Member]) -> tuple[int, Generator[bytes]]:
    """The length of the archive and its bytes. Memory grows with the number of members, not with their sizes.

    An error of a member is raised by the iterator. Closing the iterator closes the open member.
    """
    archive = ZipStream(sized=True)
    for name, member in zip(archive_names(member.name for member in members), members, strict=True):
        archive.add(log_failures(_bytes(member), member.id), name, size=member.size)
    return len(archive), archive.finalize()


def _bytes(member: Member) -> Iterator[bytes]:
    with closing(member.open()) as stream:
        yield from enforce_length(stream, member.size)
