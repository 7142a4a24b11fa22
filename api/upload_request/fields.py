"""Rules for form fields: which field has the file, and which other fields are read.

Fields before the file apply. The row exists before a field after the file arrives: such a field is rejected unless it
repeats the value that applies already, so that no value is dropped silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from api.upload_request.filename import required_name, resolve_name
from content.filename_encoding import decode_encoded_words
from content.filenames import display_name
from problems import InvalidParameter, UnsupportedMediaType

FILE_FIELD_PATTERN = re.compile(r"files?(\[[0-9]*\])?|filepond")
"""`file` and its variants, as PHP arrays, axios, Dropzone, Uppy and FilePond write them."""

OPTIONS = ("expires_in", "idempotency_key")
"""Fields that a query parameter or header of the same meaning can replace."""

RECOGNIZED = ("name", *OPTIONS)

_PLAIN = ("", "7bit", "8bit", "binary")


def check_transfer_encoding(value: str) -> None:
    """Raise UnsupportedMediaType for an encoded part (Content-Transfer-Encoding).

    RFC 7578 §4.7 deprecates the header, and no browser sends it.
    """
    if value.strip().lower() not in _PLAIN:
        raise UnsupportedMediaType(
            f"A part has Content-Transfer-Encoding: {value[:40]}. Send its bytes unencoded, without the header."
        )


class Fields:
    """Name and options of one upload, from the request's head and the form's fields.

    `names` are the names in the head as (place, name); `from_head` the options in the head.
    """

    def __init__(self, names: Iterable[tuple[str, str]], from_head: Mapping[str, str]) -> None:
        self._names = list(names)
        self._from_head = dict(from_head)
        self._from_form: dict[str, str] = {}
        self._file_name = ""

    @property
    def options(self) -> Mapping[str, str]:
        """Values of OPTIONS from form fields, not yet validated."""
        return self._from_form

    def add(self, field: str, text: str) -> None:
        """Read a field before the file. An empty value counts as missing.

        Raises InvalidParameter if two values differ, BadEncoding for a name with a malformed encoded word.
        """
        if not text.strip():
            return
        if field == "name":
            self._names.append(("the form field name", decode_encoded_words(text)))
        elif self._from_head.get(field, text) != text or self._from_form.setdefault(field, text) != text:
            raise InvalidParameter(f"{field} has two different values in this request: send one.", parameter=field)

    def resolve_name(self, filename: str) -> str:
        """The file's name: a declared one, else the `filename` of its part. Called when the file's part begins.

        Raises InvalidParameter if two names differ, MissingFilename, FilenameTooLong.
        """
        self._file_name = resolve_name(self._names) or required_name(filename)
        return self._file_name

    def check_late(self, field: str, text: str) -> None:
        """Check a field after the file. Raises InvalidParameter unless it repeats the value that applies."""
        if not text.strip():
            return
        if field == "name":
            applies = display_name(decode_encoded_words(text)) == self._file_name
        else:
            applies = text == self._from_head.get(field, self._from_form.get(field))
        if not applies:
            raise InvalidParameter(
                f"The form field {field} comes after the file and has no effect there: put it before the file.",
                parameter=field,
            )
