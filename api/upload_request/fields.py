"""Rules for the parts of a form: which field has the file, and which other fields Ferry reads.

A field before the file decides. One after it comes too late, since the file's row exists by then: it is refused unless
it repeats what holds already, so that no wish is dropped silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from api.upload_request.filename import required_name, resolve_name
from content.filename_encoding import decode_encoded_words
from content.filenames import display_name
from problems import InvalidParameter, UnsupportedMediaType

FILE_FIELD = re.compile(r"files?(\[[0-9]*\])?|filepond")
"""Names of the file's field: `file` and, as PHP's arrays, axios, Dropzone, Uppy and FilePond write it, its variants."""

SETTINGS = ("expires_in", "idempotency_key")
READ = ("name", *SETTINGS)

_PLAIN = ("", "7bit", "8bit", "binary")


def check_transfer_encoding(value: str) -> None:
    """Raise UnsupportedMediaType for a part that is encoded, by its Content-Transfer-Encoding.

    RFC 7578 §4.7 deprecates the header, and no browser sends it.
    """
    if value.strip().lower() not in _PLAIN:
        raise UnsupportedMediaType(
            f"A part has Content-Transfer-Encoding: {value[:40]}. Send its bytes as they are, without the header."
        )


class Fields:
    """The name and the settings of one upload, from the request's head and from the form's fields.

    `names` are those of the head as (where it stands, name); `given` holds settings that the head has.
    """

    def __init__(self, names: Iterable[tuple[str, str]], given: Mapping[str, str]) -> None:
        self._names = list(names)
        self._given = dict(given)
        self._from_form: dict[str, str] = {}
        self._file_name = ""

    @property
    def settings(self) -> Mapping[str, str]:
        """The form's values of SETTINGS, not validated yet. A value of the head is not repeated here."""
        return self._from_form

    def add(self, field: str, text: str) -> None:
        """Read a field before the file. An empty one counts as missing. Raises InvalidParameter if two values differ.

        Raises BadEncoding for a name with a broken encoded word.
        """
        if not text.strip():
            return
        if field == "name":
            self._names.append(("the form's field name", decode_encoded_words(text)))
        elif self._given.get(field, text) != text or self._from_form.setdefault(field, text) != text:
            raise InvalidParameter(f"{field} has two different values in this request: send one.", parameter=field)

    def settle(self, filename: str) -> str:
        """The file's name: the one that was sent on purpose, else `filename`, that of its part. No field decides now.

        Raises InvalidParameter if two names differ, MissingFilename, FilenameTooLong.
        """
        self._file_name = resolve_name(self._names) or required_name(filename)
        return self._file_name

    def check_late(self, field: str, text: str) -> None:
        """Read a field after the file. Raises InvalidParameter if it asks for something that does not hold."""
        if not text.strip():
            return
        if field == "name":
            holds = display_name(decode_encoded_words(text)) == self._file_name
        else:
            holds = text == self._given.get(field, self._from_form.get(field))
        if not holds:
            raise InvalidParameter(
                f"The form field {field} stands after the file, where it is not read: put it in front of the file.",
                parameter=field,
            )
