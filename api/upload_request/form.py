"""A form with one file. The parts are read in turn, and nothing of them waits in memory or on disk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from flask import Request
from multipart import MultipartSegment

from api.chunked_uploads import check_not_chunked, check_part_not_chunked
from api.upload_request.fields import FILE_FIELD, READ, Fields, check_transfer_encoding
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

FIELD = "file"
MAX_FIELDS_BYTES = 64 << 10

_ONE_EACH = "Send one request per file (Uppy: `bundle: false`, Dropzone: `uploadMultiple: false`)."
_TEXT = "The field {!r} has no filename, so it is text. Give its part a filename (curl: -F file=@name, not file=name)."


@dataclass(frozen=True)
class FormFile:
    """The file of a form. The stream ends only after the closing boundary; it raises what is wrong with the rest."""

    name: str
    content_type: str
    stream: Iterator[bytes]
    settings: Mapping[str, str]
    """Values of fields.SETTINGS that stand in front of the file."""


def read_form(request: Request, body: Iterator[bytes], names: Iterable[tuple[str, str]]) -> FormFile:
    """Read the form up to the first byte of its file. `names` are those in the request's head.

    The file is the first part of a field FILE_FIELD with a filename. A part without a filename is text, whatever its
    field; one with an empty filename is a file input in which nothing was chosen.
    """
    boundary = request.mimetype_params.get("boundary", "")
    if not re.fullmatch(r"[\x20-\x7e]{1,200}", boundary):
        raise MalformedMultipart("The Content-Type has no usable boundary.")
    given = {"expires_in": request.args.get("expires_in"), "idempotency_key": request.headers.get("Idempotency-Key")}
    fields = Fields(names, {field: value for field, value in given.items() if value is not None})
    form = _Form(request, events(boundary, body), fields)
    segment, filename = form.find_file()
    return FormFile(fields.settle(filename), segment.content_type or "", form.file_then_rest(), fields.settings)


class _Form:
    """The parts of a form in turn. All but the one file are read as text, within bounds."""

    def __init__(self, request: Request, parts: Iterator[Event], fields: Fields) -> None:
        self._events, self._fields = parts, fields
        self._read = fields.add
        self._headers = request.headers
        self._texts = list(request.args.items(multi=True))
        self._size = 0
        self._name, self._filename, self._value = "", "", bytearray()
        self._named, self._is_unnamed = "", False
        self._absence: Problem = MissingFile(f"The form has no file. Send it in the field {FIELD!r}.")

    def find_file(self) -> tuple[MultipartSegment, str]:
        """Read up to the first byte of the file. Returns the head of its part, and its filename."""
        for event in self._events:
            if not isinstance(event, MultipartSegment):
                self._go_on(event)
            elif filename := self._begin(event):
                return event, filename
        raise self._absence

    def file_then_rest(self) -> Iterator[bytes]:
        """Yield the file's bytes; end only when the whole form has been read and is sound."""
        for event in self._events:
            if event is None:
                break
            assert isinstance(event, bytes)
            yield event
        late: list[tuple[str, str]] = []
        self._read = lambda field, text: late.append((field, text))
        for event in self._events:
            if not isinstance(event, MultipartSegment):
                self._go_on(event)
            elif self._begin(event):
                raise TooManyFiles(_ONE_EACH)
        for field, text in late:  # Now that no field says that the file is a chunk.
            self._fields.check_late(field, text)

    def _begin(self, part: MultipartSegment) -> str:
        """Read the head of a part. Returns its filename if it is a file, else an empty string."""
        check_transfer_encoding(part.header("Content-Transfer-Encoding", ""))
        self._name, self._value = part.name or "", bytearray()
        filename = part_filename(part.header("Content-Disposition"), part.filename)
        is_field = bool(FILE_FIELD.fullmatch(self._name))
        self._is_unnamed = is_field and filename == ""
        if filename:
            if not is_field:
                raise UnexpectedFile(f"The field {self._name[:40]!r} has a file. Send it in the field {FIELD!r}.")
            self._named += filename
            self._check_charset()
            check_part_not_chunked(part.headerlist)
        elif is_field:
            self._note_absence(part, filename)
        return filename or ""

    def _note_absence(self, part: MultipartSegment, filename: str | None) -> None:
        """Remember why a part of the file's field is no file, in case none follows."""
        if filename is None and part.content_type == "multipart/mixed":
            raise TooManyFiles(f"The field {self._name!r} has several files in one part. {_ONE_EACH}")
        if filename is None:
            self._absence = MissingFilename(_TEXT.format(self._name))
        elif not isinstance(self._absence, MissingFilename):
            self._absence = MissingFile("No file was chosen in the field.")

    def _go_on(self, event: bytes | None) -> None:
        """Read some of a part that is no file, or its end."""
        if event is not None:
            if self._is_unnamed:
                raise MissingFilename(f"The field {self._name!r} has a file whose filename is empty.")
            self._size += len(event)
            if self._size > MAX_FIELDS_BYTES:
                raise self._too_large()
            self._value += event
            return
        self._texts.append((self._name, self._value.decode(errors="replace")))
        check_not_chunked(self._headers, self._texts)
        if self._name in READ:
            self._read(self._name, self._text())
        self._check_charset()

    def _text(self) -> str:
        try:
            text = self._value.decode()
        except UnicodeDecodeError as error:
            raise BadEncoding(f"The form field {self._name} is not UTF-8.") from error
        self._named += text if self._name == "name" else ""
        return text

    def _too_large(self) -> Problem:
        if FILE_FIELD.fullmatch(self._name) and isinstance(self._absence, MissingFilename):
            return self._absence
        return FormTooLarge(f"The fields beside {FIELD!r} may have {MAX_FIELDS_BYTES} bytes.")

    def _check_charset(self) -> None:
        """Raise BadEncoding if a name is not ASCII and the form says that its text is not UTF-8 (RFC 7578 §4.6)."""
        if not self._named.isascii():
            charset = dict(self._texts).get("_charset_", "utf-8").strip().lower()
            if charset not in ("utf-8", "utf8"):
                raise BadEncoding("The form's _charset_ is not utf-8: set accept-charset=utf-8.")
