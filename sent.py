"""What HTTP brought: one file out of a request, as a name, its types and a stream that is read while it arrives.

A form is parsed as it comes in (RFC 7578), so nothing of it waits in memory or on disk. The stream ends only
after the form's closing boundary and the announced number of bytes; anything else is raised out of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from flask import Request
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from chunked_uploads import refuse, refuse_part
from filename_encoding import from_part, words
from names import display_name, name_too_long
from problems import (
    BadEncoding,
    FormTooLarge,
    LengthRequired,
    MalformedMultipart,
    MissingFile,
    MissingFilename,
    TooLarge,
    TooManyFiles,
    UnexpectedFile,
    UnsupportedMediaType,
)  # fmt: skip
from server.body import body_of
from sniffing import HEAD, UNKNOWN, detect

FIELD = "file"
_MAX_SEGMENTS = 20
_MAX_FIELDS_BYTES = 64 << 10
_MAX_PART_HEADERS, _MAX_PART_HEAD = 64, 8 << 10
_MAX_OVERHEAD = 1 << 20
"""What a form may have beside its file: boundaries, headers, other fields, preamble and epilogue."""

_LIMITS = (
    f"A form may have {_MAX_SEGMENTS} parts, and the header of a part {_MAX_PART_HEADERS} lines"
    f" and {_MAX_PART_HEAD} bytes."
)

_NOT_FILES = ("", "application/x-www-form-urlencoded", "application/json")


@dataclass(frozen=True)
class Sent:
    """One file on its way in. `bound` is the most bytes that can come, where the request announced its length.

    `content_type` is what the client says that it is, `detected_type` what its first bytes say. While it comes it is
    counted for `client`.
    """

    name: str
    content_type: str
    bound: int | None
    stream: Iterator[bytes]
    detected_type: str = UNKNOWN
    client: str = ""


def take(request: Request, limit: int) -> Sent:
    """Open the one file of `request`, of at most `limit` bytes. Reads no more than the pieces its first bytes are in.

    Raises a Problem for a request that carries no file that can be taken. Reading the stream raises IncompleteBody,
    TooLarge, TooManyFiles, UnexpectedFile, ChunkedUpload, MalformedMultipart or FormTooLarge when the rest is not as it
    should be; of a file so small that this is seen at once, it is raised here.
    """
    refuse(request.headers, request.args.items(multi=True))
    length = request.content_length
    transfer = request.headers.get("Transfer-Encoding", "").strip().lower()
    if length is None and not transfer:
        raise LengthRequired
    if "Content-Encoding" in request.headers or transfer not in ("", "chunked"):
        raise UnsupportedMediaType("A compressed body is not accepted: its bytes would not be the file's.")
    if request.mimetype in _NOT_FILES:
        raise UnsupportedMediaType(f"{request.mimetype or 'A body without a type'} is not taken as a file.")
    is_form = request.mimetype == "multipart/form-data"
    if length is not None and length > limit + (_MAX_OVERHEAD if is_form else 0):
        raise _too_large(limit)
    sent = _from_form(request) if is_form else _from_body(request)
    return _looked_at(replace(sent, stream=_limited(sent.stream, limit)))


def least(request: Request) -> int:
    """The fewest bytes that the file of this request can have, as it is announced: 0 where nothing is."""
    is_form = request.mimetype == "multipart/form-data"
    return max((request.content_length or 0) - (_MAX_OVERHEAD + _MAX_FIELDS_BYTES if is_form else 0), 0)


def _from_body(request: Request) -> Sent:
    name = _name(words(request.args.get("name", "")))
    return Sent(name, media_type(request.mimetype), request.content_length, body_of(request))


def _from_form(request: Request) -> Sent:
    boundary = request.mimetype_params.get("boundary", "")
    if not re.fullmatch(r"[\x20-\x7e]{1,200}", boundary):
        raise MalformedMultipart("The Content-Type has no usable boundary.")
    form = _Form(request, _events(_Parser(boundary), body_of(request)))
    segment = form.find_file()
    filename = from_part(segment.header("Content-Disposition"), segment.filename)
    if filename == "":
        raise MissingFile("No file was chosen in the field.")
    name = _name(filename or "")
    content_type = media_type(segment.content_type or "")
    return Sent(name, content_type, request.content_length, form.file_then_rest())


class _Parser(PushMultipartParser):  # type: ignore[misc]
    """A parser that counts all of a part's head before it reads a line of it: folded lines take it quadratic time."""

    def __init__(self, boundary: str) -> None:
        # Latin-1 takes any byte; what the bytes of a name mean is filename_encoding's to say.
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
            raise name_too_long() if is_name else ParserLimitReached
        super()._on_segment_headerline(line)


class _Form:
    """The parts of a form in turn. All but the one file are skipped, within bounds."""

    def __init__(self, request: Request, events: Iterator[MultipartSegment | bytes | None]) -> None:
        self._events = events
        self._skipped = 0
        self._headers = request.headers
        self._fields = list(request.args.items(multi=True))
        self._name, self._value = "", bytearray()
        self._filename = ""

    def find_file(self) -> MultipartSegment:
        """Read up to the headers of the field `file`."""
        for event in self._events:
            if isinstance(event, MultipartSegment) and event.name == FIELD:
                self._filename = event.filename or ""
                self._check_charset()
                refuse_part(event.headerlist)
                return event
            self._skip(event)
        raise MissingFile(f"The form has no field {FIELD!r}.")

    def file_then_rest(self) -> Iterator[bytes]:
        """Yield the file's bytes; end only when the whole form has been read and is sound."""
        for event in self._events:
            if event is None:
                break
            assert isinstance(event, bytes)
            yield event
        for event in self._events:
            if isinstance(event, MultipartSegment) and event.name == FIELD:
                raise TooManyFiles
            self._skip(event)

    def _skip(self, event: MultipartSegment | bytes | None) -> None:
        """Read a part that is no file. Raises ChunkedUpload once the fields so far say that the file is a chunk."""
        if isinstance(event, MultipartSegment):
            if event.filename:
                raise UnexpectedFile(f"Files are taken from the field {FIELD!r} only.")
            self._name, self._value = event.name or "", bytearray()
        elif event is None:
            self._fields.append((self._name, self._value.decode(errors="replace")))
            refuse(self._headers, self._fields)
            self._check_charset()
        else:
            self._skipped += len(event)
            if self._skipped > _MAX_FIELDS_BYTES:
                raise FormTooLarge(f"The fields beside {FIELD!r} may have {_MAX_FIELDS_BYTES} bytes.")
            self._value += event

    def _check_charset(self) -> None:
        """Raise BadEncoding where the form says that its text, the filename too, is not UTF-8 (RFC 7578 §4.6)."""
        charset = dict(self._fields).get("_charset_", "utf-8").strip().lower()
        if not self._filename.isascii() and charset not in ("utf-8", "utf8"):
            raise BadEncoding("The form's _charset_ is not utf-8: set accept-charset=utf-8.")


def _events(parser: PushMultipartParser, body: Iterator[bytes]) -> Iterator[MultipartSegment | bytes | None]:
    """What the parser sees in the body. After the closing boundary the epilogue is read and dropped (RFC 2046)."""
    beside = 0
    try:
        for chunk in body:
            events = list(parser.parse(chunk))
            beside += len(chunk) - sum(len(event) for event in events if isinstance(event, bytes))
            if beside > _MAX_OVERHEAD:
                raise FormTooLarge
            yield from events
        parser.close()
    except ParserLimitReached as error:
        raise FormTooLarge(_LIMITS) from error
    except MultipartError as error:
        raise MalformedMultipart from error


def _name(sent: str) -> str:
    name = display_name(sent)
    if not name:
        raise MissingFilename("Without folders and control characters nothing is left of the name." if sent else None)
    return name


def _limited(stream: Iterator[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for chunk in stream:
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        yield chunk


def _looked_at(sent: Sent) -> Sent:
    """`sent` with the type of its first bytes. The pieces that they came in are the stream's first again, uncopied."""
    pieces, head = [], b""
    for piece in sent.stream:
        pieces.append(piece)
        head += piece[: HEAD - len(head)]
        if len(head) == HEAD:
            break
    return replace(sent, detected_type=detect(head), stream=chain(pieces, sent.stream))


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"At most {limit} bytes are accepted.", max_bytes=limit)


def media_type(declared: str) -> str:
    """`type/subtype` in lower case (RFC 9110 §8.3.1), or the type of unknown bytes where that is not what it is."""
    declared = declared.strip().lower()
    usable = re.fullmatch(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}", declared)
    return declared if usable else UNKNOWN
