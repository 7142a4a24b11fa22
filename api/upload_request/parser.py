"""Parse a multipart/form-data body (RFC 7578) as it arrives, within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from content.filenames import filename_too_long
from problems import FormTooLarge, MalformedMultipart

MAX_OVERHEAD = 1 << 20
"""Bytes of a form outside its parts' contents: boundaries, part headers, preamble, epilogue."""

_MAX_SEGMENTS = 20
_MAX_PART_HEADERS, _MAX_PART_HEAD = 64, 8 << 10

_HEAD_LIMIT = f"The header of a part is limited to {_MAX_PART_HEADERS} lines and {_MAX_PART_HEAD} bytes."

Event: TypeAlias = "MultipartSegment | bytes | None"
"""The head of a part, a chunk of its bytes, or its end (None)."""


def events(boundary: str, body: Iterator[bytes]) -> Iterator[Event]:
    """Yield the parts of a form as they arrive. The epilogue after the closing boundary is dropped (RFC 2046 §5.1.1).

    Raises MalformedMultipart, FormTooLarge, FilenameTooLong, and the errors of `body`.
    """
    parser, overhead = _Parser(boundary), 0
    try:
        for chunk in body:
            found = list(parser.parse(chunk))
            overhead += len(chunk) - sum(len(event) for event in found if isinstance(event, bytes))
            if overhead > MAX_OVERHEAD:
                raise FormTooLarge(f"A form is limited to {MAX_OVERHEAD} bytes outside its parts' contents.")
            yield from found
        parser.close()
    except ParserLimitReached as error:
        raise MalformedMultipart(_HEAD_LIMIT) from error
    except MultipartError as error:
        raise MalformedMultipart from error


class _Parser(PushMultipartParser):  # type: ignore[misc]
    """Checks the size of a part's head line by line, before parsing: folded lines take quadratic time."""

    def __init__(self, boundary: str) -> None:
        # Latin-1 takes any byte; filename_encoding decides what the bytes of a name mean.
        super().__init__(
            boundary,
            max_header_size=2 * _MAX_PART_HEAD,
            max_header_count=_MAX_PART_HEADERS,
            header_charset="latin-1",
        )
        self._head = self._segments = 0

    def _on_segment_start(self) -> None:
        self._head = 0
        self._segments += 1
        if self._segments > _MAX_SEGMENTS:
            raise FormTooLarge(f"A form is limited to {_MAX_SEGMENTS} parts.")
        super()._on_segment_start()

    def _on_segment_headerline(self, line: bytes) -> None:
        self._head += len(line) + len("\r\n")
        if self._head > _MAX_PART_HEAD:
            is_name = len(line) > _MAX_PART_HEAD // 2 and b"filename" in line
            raise filename_too_long() if is_name else ParserLimitReached
        super()._on_segment_headerline(line)
