"""What an upload protocol hands to the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from content.sniffing import UNKNOWN
from models import FileRow, NewFile


@dataclass(frozen=True)
class UploadSource:
    """Where the bytes of a new file come from, and what the client says about it. Every upload protocol makes one."""

    name: str
    content_type: str
    """The media type that the client declares."""
    max_bytes: int | None
    """Upper bound of the file's size by the announced length; None if no length is announced."""
    stream: Iterator[bytes]
    """Read once, as the bytes arrive. Raises a Problem for a body that turns out invalid."""
    detected_type: str = UNKNOWN
    """The media type by the file's first bytes."""
    min_bytes: int = 0
    """Lower bound of the file's size."""
    options: Mapping[str, str] = field(default_factory=dict)
    """`expires_in` and `idempotency_key`, as the client sent them with the file."""


Accept = Callable[[NewFile, UploadSource, str], FileRow]
"""How a mode accepts a file from a source, for the client of this name: stores it, or spools it for later."""
