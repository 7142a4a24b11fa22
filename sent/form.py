"""A form with one file. The parts are read in turn, and nothing of them waits in memory or on disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flask import Request
from multipart import MultipartSegment

from chunked_uploads import refuse, refuse_part
from filename_encoding import from_part
from problems import (
    BadEncoding,
    FormTooLarge,
    MalformedMultipart,
    MissingFile,
    MissingFilename,
    TooManyFiles,
    UnexpectedFile,
)  # fmt: skip
from sent.names import required_name
from sent.parser import Event, events

FIELD = "file"
MAX_FIELDS_BYTES = 64 << 10


@dataclass(frozen=True)
class FormFile:
    """The file of a form. The stream ends only after the closing boundary; it raises what is wrong with the rest."""

    name: str
    content_type: str
    stream: Iterator[bytes]


def read_form(request: Request, body: Iterator[bytes], name: str | None) -> FormFile:
    """Read the form up to the first byte of its file. `name`: what the request's head says that the file is called."""
    boundary = request.mimetype_params.get("boundary", "")
    if not re.fullmatch(r"[\x20-\x7e]{1,200}", boundary):
        raise MalformedMultipart("The Content-Type has no usable boundary.")
    form = _Form(request, events(boundary, body))
    segment = form.find_file()
    filename = from_part(segment.header("Content-Disposition"), segment.filename)
    if filename == "":
        raise MissingFile("No file was chosen in the field.")
    if not filename:
        raise MissingFilename
    return FormFile(name or required_name(filename), segment.content_type or "", form.file_then_rest())


class _Form:
    """The parts of a form in turn. All but the one file are skipped, within bounds."""

    def __init__(self, request: Request, parts: Iterator[Event]) -> None:
        self._events = parts
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

    def _skip(self, event: Event) -> None:
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
            if self._skipped > MAX_FIELDS_BYTES:
                raise FormTooLarge(f"The fields beside {FIELD!r} may have {MAX_FIELDS_BYTES} bytes.")
            self._value += event

    def _check_charset(self) -> None:
        """Raise BadEncoding where the form says that its text, the filename too, is not UTF-8 (RFC 7578 §4.6)."""
        charset = dict(self._fields).get("_charset_", "utf-8").strip().lower()
        if not self._filename.isascii() and charset not in ("utf-8", "utf8"):
            raise BadEncoding("The form's _charset_ is not utf-8: set accept-charset=utf-8.")
