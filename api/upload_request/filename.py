"""The name of an uploaded file, from the places where a request may carry it. Pure rules."""

from __future__ import annotations

from collections.abc import Iterable

from multipart import content_disposition_unquote, parse_options_header

from content.filename_encoding import check_path, decode_encoded_words, part_filename
from content.filenames import display_name
from problems import InvalidParameter, MissingFilename

HOW_TO_NAME = (
    "Send the name in the path (PUT /normal_upload/<name>), as ?name=<name>, in a Content-Disposition header, or send"
    " a form (multipart/form-data) with the file in the field 'file'."
)


def declared_names(path: str | None, raw_path: str, query: str, disposition: str) -> list[tuple[str, str]]:
    """Every name in the request's head, as (where it stands, name). Raises BadEncoding.

    `path` is the name in the path (None: the address has no place for one), `raw_path` the whole WSGI path, `query` the
    value of `?name=`, `disposition` the request's Content-Disposition (RFC 6266). An empty `?name=` or filename counts
    as missing; the path of `PUT /normal_upload/` is empty and counts as missing too.
    """
    if path:
        check_path(raw_path)
    options = parse_options_header(disposition, unquote=content_disposition_unquote)[1]
    filename = part_filename(disposition, options.get("filename"))
    found = (("the path", path), ("?name=", decode_encoded_words(query)), ("Content-Disposition", filename))
    return [(place, name) for place, name in found if name]


def resolve_name(names: Iterable[tuple[str, str]]) -> str | None:
    """The one name that all places say, as it is kept; None where there is no place.

    Raises InvalidParameter if two differ, MissingFilename if nothing is left of one, FilenameTooLong.
    """
    place, agreed = "", None
    for other, sent in names:
        name = required_name(sent)
        if agreed not in (None, name):
            raise InvalidParameter(f"The name in {place} and that in {other} differ: send one.", parameter="name")
        place, agreed = other, name
    return agreed


def required_name(sent: str) -> str:
    """The last component of `sent` as it is kept. Raises MissingFilename if nothing is left, FilenameTooLong."""
    name = display_name(sent)
    if name in ("", ".", ".."):
        raise MissingFilename("Without folders and control characters nothing is left of the name.")
    return name
