"""A multipart/form-data body (RFC 7578) as a stream of parts, parsed while it arrives and within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from content.filenames import filename_too_long
from problems import FormTooLarge, MalformedMultipart

MAX_OVERHEAD = 1 << 20
"""Bytes that a form may have besides its file: boundaries, headers, other fields, preamble and epilogue."""

_MAX_SEGMENTS = 20
_MAX_PART_HEADERS, _MAX_PART_HEAD = 64, 8 << 10

_LIMITS = (
    f"A form may have {_MAX_SEGMENTS} parts, and the header of a part {_MAX_PART_HEADERS} lines"
    f" and {_MAX_PART_HEAD} bytes."
)

Event: TypeAlias = "MultipartSegment | bytes | None"
"""The head of a part, some of its bytes, or its end."""


def events(boundary: str, body: Iterator[bytes]) -> Iterator[Event]:
    """Yield the form's parts as they come. After the closing boundary the epilogue is read and dropped (RFC 2046).

    Raises MalformedMultipart, FormTooLarge, FilenameTooLong, and what `body` raises.
    """
    parser, beside = _Parser(boundary), 0
    try:
        for chunk in body:
            found = list(parser.parse(chunk))
            beside += len(chunk) - sum(len(event) for event in found if isinstance(event, bytes))
            if beside > MAX_OVERHEAD:
                raise FormTooLarge
            yield from found
        parser.close()
    except ParserLimitReached as error:
        raise FormTooLarge(_LIMITS) from error
    except MultipartError as error:
        raise MalformedMultipart from error


class _Parser(PushMultipartParser):  # type: ignore[misc]
    """Checks the size of a part's head before parsing any line of it: folded lines take quadratic time."""

    def __init__(self, boundary: str) -> None:
        # Latin-1 takes any byte; filename_encoding decides what the bytes of a name mean.
        super().__init__(
            boundary,
            max_segment_count=_MAX_SEGMENTS,
            max_header_size=2 * _MAX_PART_HEAD,
            max_header_count=_MAX_PART_HEADERS,
            header_charset="latin-1",
        )
        self._head = 0

    def _on_segment_start(self) -> None:
        self._head = 0
        super()._on_segment_start()

    def _on_segment_headerline(self, line: bytes) -> None:
        self._head += len(line) + len("\r\n")
        if self._head > _MAX_PART_HEAD:
            is_name = len(line) > _MAX_PART_HEAD // 2 and b"filename" in line
            raise filename_too_long() if is_name else ParserLimitReached
        super()._on_segment_headerline(line)
