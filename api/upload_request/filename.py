"""The name of an uploaded file: path, `?name=` or Content-Disposition. Pure rules."""

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
    """The names in the request's head, as (place, name). Raises BadEncoding.

    `path` is the name in the URL path (None: the route has none), `raw_path` the whole WSGI path, `query` the value of
    `?name=`, `disposition` the request's Content-Disposition (RFC 6266). An empty name counts as missing, also the
    empty path of `PUT /normal_upload/`.
    """
    if path:
        check_path(raw_path)
    options = parse_options_header(disposition, unquote=content_disposition_unquote)[1]
    filename = part_filename(disposition, options.get("filename"))
    found = (("the path", path), ("?name=", decode_encoded_words(query)), ("Content-Disposition", filename))
    return [(place, name) for place, name in found if name]


def resolve_name(names: Iterable[tuple[str, str]]) -> str | None:
    """The display name on which all places agree; None without any.

    Raises InvalidParameter if two differ, MissingFilename if one is empty once sanitised, FilenameTooLong.
    """
    previous, resolved = "", None
    for place, declared in names:
        name = required_name(declared)
        if resolved not in (None, name):
            raise InvalidParameter(f"The names in {previous} and {place} differ: send one.", parameter="name")
        previous, resolved = place, name
    return resolved


def required_name(declared: str) -> str:
    """The display name of `declared`. Raises MissingFilename if it is empty, FilenameTooLong."""
    name = display_name(declared)
    if name in ("", ".", ".."):
        raise MissingFilename("The name is empty without its folders and control characters.")
    return name
