"""Read a form with one file, part by part; the file is never buffered in memory or on disk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from flask import Request
from multipart import MultipartSegment

from api.partial_uploads import reject_chunk_in_part, reject_file_chunk
from api.upload_request.fields import FILE_FIELD_PATTERN, RECOGNIZED, Fields, check_transfer_encoding
from api.upload_request.parser import Event, events
from content.filename_encoding import part_filename
from problems import (
    BadEncoding,
    FormTooLarge,
    MalformedMultipart,
    MissingFile,
    MissingFilename,
    Problem,
    TooManyFiles,
    UnexpectedFile,
)  # fmt: skip

FILE_FIELD_NAME = "file"
MAX_FIELDS_BYTES = 64 << 10

_ONE_FILE_PER_REQUEST = "Send one request per file (Uppy: `bundle: false`, Dropzone: `uploadMultiple: false`)."
_NO_FILENAME = (
    "The field {!r} has no filename, so it is text. Give its part a filename (curl: -F file=@name, not file=name)."
)


@dataclass(frozen=True)
class FormFile:
    """The file of a form. Its stream ends after the closing boundary, and raises errors of the parts after the file."""

    name: str
    content_type: str
    stream: Iterator[bytes]
    options: Mapping[str, str]
    """Values of fields.OPTIONS from fields before the file."""


def read_form(request: Request, body: Iterator[bytes], names: Iterable[tuple[str, str]]) -> FormFile:
    """Read the form up to the first byte of its file. `names` are the names in the request's head.

    The file is the first part with a filename, in a field that matches FILE_FIELD_PATTERN. A part without a filename is
    text; a part with an empty filename is a file input without a choice (HTML, constructing the entry list).
    """
    boundary = request.mimetype_params.get("boundary", "")
    if not re.fullmatch(r"[\x20-\x7e]{1,200}", boundary):
        raise MalformedMultipart("The Content-Type has no usable boundary.")
    head = {"expires_in": request.args.get("expires_in"), "idempotency_key": request.headers.get("Idempotency-Key")}
    fields = Fields(names, {field: value for field, value in head.items() if value is not None})
    form = _Form(request, events(boundary, body), fields)
    segment, filename = form.find_file()
    return FormFile(fields.resolve_name(filename), segment.content_type or "", form.file_then_rest(), fields.options)


class _Form:
    """The parts of a form in order. All but the one file are read as text, up to MAX_FIELDS_BYTES in total."""

    def __init__(self, request: Request, parts: Iterator[Event], fields: Fields) -> None:
        self._events, self._fields = parts, fields
        self._on_field = fields.add
        self._headers = request.headers
        self._texts = list(request.args.items(multi=True))
        self._size = 0
        self._name, self._value = "", bytearray()
        self._all_names, self._has_empty_filename = "", False
        self._no_file_error: Problem = MissingFile(f"The form has no file. Send it in the field {FILE_FIELD_NAME!r}.")

    def find_file(self) -> tuple[MultipartSegment, str]:
        """Read up to the first byte of the file. Returns the head of its part and its filename."""
        for event in self._events:
            if not isinstance(event, MultipartSegment):
                self._read_text(event)
            elif filename := self._begin_part(event):
                return event, filename
        raise self._no_file_error

    def file_then_rest(self) -> Iterator[bytes]:
        """Yield the file's bytes, then read and check the rest of the form."""
        for event in self._events:
            if event is None:
                break
            assert isinstance(event, bytes)
            yield event
        late: list[tuple[str, str]] = []
        self._on_field = lambda field, text: late.append((field, text))
        for event in self._events:
            if not isinstance(event, MultipartSegment):
                self._read_text(event)
            elif self._begin_part(event):
                raise TooManyFiles(_ONE_FILE_PER_REQUEST)
        for field, text in late:  # ChunkedUpload has precedence, and the last field may raise it.
            self._fields.check_late(field, text)

    def _begin_part(self, part: MultipartSegment) -> str:
        """Read the head of a part. Returns its filename if it is a file, else an empty string."""
        check_transfer_encoding(part.header("Content-Transfer-Encoding", ""))
        self._name, self._value = part.name or "", bytearray()
        filename = part_filename(part.header("Content-Disposition"), part.filename)
        is_field = bool(FILE_FIELD_PATTERN.fullmatch(self._name))
        self._has_empty_filename = is_field and filename == ""
        if filename:
            if not is_field:
                raise UnexpectedFile(
                    f"The field {self._name[:40]!r} has a file. Send it in the field {FILE_FIELD_NAME!r}."
                )
            self._all_names += filename
            self._check_charset()
            reject_chunk_in_part(part.headerlist)
        elif is_field:
            self._set_no_file_error(part, filename)
        return filename or ""

    def _set_no_file_error(self, part: MultipartSegment, filename: str | None) -> None:
        """Set the error to raise if no file follows this part of the file's field."""
        if filename is None and part.content_type == "multipart/mixed":
            raise TooManyFiles(f"The field {self._name!r} has several files in one part. {_ONE_FILE_PER_REQUEST}")
        if filename is None:
            self._no_file_error = MissingFilename(_NO_FILENAME.format(self._name))
        elif not isinstance(self._no_file_error, MissingFilename):
            self._no_file_error = MissingFile("No file was chosen in the field.")

    def _read_text(self, event: bytes | None) -> None:
        """Read a chunk of a text part, or its end (None)."""
        if event is not None:
            if self._has_empty_filename:
                raise MissingFilename(f"The field {self._name!r} has a file whose filename is empty.")
            self._size += len(event)
            if self._size > MAX_FIELDS_BYTES:
                raise self._field_size_error()
            self._value += event
            return
        self._texts.append((self._name, self._value.decode(errors="replace")))
        reject_file_chunk(self._headers, self._texts)
        if self._name in RECOGNIZED:
            self._on_field(self._name, self._text())
        self._check_charset()

    def _text(self) -> str:
        try:
            text = self._value.decode()
        except UnicodeDecodeError as error:
            raise BadEncoding(f"The form field {self._name} is not UTF-8.") from error
        self._all_names += text if self._name == "name" else ""
        return text

    def _field_size_error(self) -> Problem:
        """The error for too many bytes of text: a file sent without a filename is the likely cause in its own field."""
        if FILE_FIELD_PATTERN.fullmatch(self._name) and isinstance(self._no_file_error, MissingFilename):
            return self._no_file_error
        return FormTooLarge(
            f"The fields other than {FILE_FIELD_NAME!r} are limited to {MAX_FIELDS_BYTES} bytes in total."
        )

    def _check_charset(self) -> None:
        """Raise BadEncoding if a name is not ASCII and the form declares a charset other than UTF-8 (RFC 7578 §4.6)."""
        if not self._all_names.isascii():
            charset = dict(self._texts).get("_charset_", "utf-8").strip().lower()
            if charset not in ("utf-8", "utf8"):
                raise BadEncoding("The form's _charset_ is not utf-8: set accept-charset=utf-8.")
