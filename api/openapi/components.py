"""Building blocks of operations: parameters, headers, request bodies and responses (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

from api.limits import DEFAULT_PAGE_SIZE, MAX_ARCHIVE_FILES, MAX_PAGE_SIZE, MAX_TTL
from api.openapi.schemas import ID, MODES, STATUS, TIME, Schema, ref
from api.upload_request import FILE_FIELD_NAME
from lifecycle.idempotency import KEY_PATTERN, MAX_KEY_LENGTH
from server.request_ids import HEADER as REQUEST_ID

Component = dict[str, Any]
_TEXT: Schema = {"type": "string"}


def _parameter(location: str, name: str, schema: Schema, description: str) -> Component:
    return {"name": name, "in": location, "description": description, "schema": schema}


def query(name: str, schema: Schema, description: str) -> Component:
    """A query parameter."""
    return _parameter("query", name, schema, description)


def number(name: str, low: int, high: int, description: str, default: int | None = None) -> Component:
    """An integer query parameter from `low` to `high`."""
    schema = {"type": "integer", "minimum": low, "maximum": high}
    return query(name, schema | ({} if default is None else {"default": default}), description)


def flag(name: str, description: str) -> Component:
    """A query parameter that is 1 or 0."""
    return query(name, {"type": "string", "enum": ["0", "1"], "default": "0"}, description)


def response(
    description: str,
    schema: Schema | None = None,
    content_type: str = "application/json",
    headers: tuple[str, ...] = (),
    *,
    links_to_file: bool = False,
) -> Component:
    """A success response. `links_to_file`: its body contains a file id; add OpenAPI links."""
    links = {} if not links_to_file else {name: _LINK | {"operationId": name} for name in _FILE_OPERATIONS}
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in (*headers, REQUEST_ID)},
        **({} if schema is None else {"content": {content_type: {"schema": schema}}}),
        **({"links": links} if links else {}),
    }


def html_or_json(json: Component) -> Component:
    """`json`, or for a client that prefers text/html a page without ETag."""
    optional = {"ETag": HEADERS["ETag"] | {"required": False}}
    return json | {
        "headers": json["headers"] | optional,
        "content": json["content"] | {"text/html": {"schema": _TEXT}},
    }


_FILE_OPERATIONS = ("get_file", "watch_file", "fetch_file", "get_link", "retry_file", "delete_file")
_LINK: Component = {"parameters": {"id": "$response.body#/id"}}

ID_IN_PATH = _parameter("path", "id", ID, "The file's id, from the response to its upload.") | {"required": True}
SLUG_IN_PATH = _parameter(
    "path", "slug", _TEXT | {"examples": ["too-large"]}, "The last segment of the problem's type."
) | {"required": True}
NAME_IN_PATH = _parameter("path", "name", _TEXT, "The file's name. Leading folders are removed.") | {"required": True}
UPLOAD_PARAMETERS = (
    query("name", _TEXT, "The file's name, if neither the path nor a form has it."),
    number("expires_in", 1, MAX_TTL, "Seconds until the file is deleted automatically."),
    _parameter(
        "header",
        "Idempotency-Key",
        {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": f"^{KEY_PATTERN}$"},
        "A repeated request with the same key creates no second file.",
    ),
    _parameter(
        "header",
        "Content-Disposition",
        _TEXT | {"examples": ['attachment; filename="a.txt"']},
        "The file's name as filename or filename* (RFC 6266).",
    ),
)
LAST_EVENT_ID = (
    _parameter("header", "Last-Event-ID", _TEXT, "The last event received: it is not sent again."),
    query("lastEventId", _TEXT, "The same, as EventSource polyfills send it."),
)
IDS_IN_QUERY = query(
    "ids", {"type": "array", "items": ID, "maxItems": MAX_ARCHIVE_FILES}, "Ids, separated by commas."
) | {
    "style": "form",
    "explode": False,
}

_DATE = {"type": "string", "examples": ["Fri, 20 Nov 2026 10:24:31 GMT"]}
_IF_MATCH = _parameter("header", "If-Match", _TEXT, "ETags: 412 unless one of them matches.")
_IF_NONE_MATCH = _parameter("header", "If-None-Match", _TEXT, "ETags that the client has: 304 if one of them matches.")
STATE_CONDITIONS = (_IF_MATCH, _IF_NONE_MATCH)
CONDITIONS = (
    _parameter("header", "Range", _TEXT | {"examples": ["bytes=0-99"]}, "One range of bytes."),
    _parameter("header", "If-Range", _TEXT, "ETag or date of the partial copy; if it differs, all bytes are sent."),
    _IF_MATCH,
    _IF_NONE_MATCH,
    _parameter("header", "If-Modified-Since", _DATE, "304 if the file was not modified after this date."),
    _parameter("header", "If-Unmodified-Since", _DATE, "412 if the file was modified after this date."),
)

PAGE = (
    number("limit", 1, MAX_PAGE_SIZE, "Maximum number of files per page.", DEFAULT_PAGE_SIZE),
    query("cursor", ID, "The value of next of the previous page."),
    query("status", STATUS, "Only files with this status."),
    query("mode", MODES, "Only files uploaded in this mode."),
    query("prefix", _TEXT, "Only files whose names start with this text; case-sensitive."),
    query("created_after", TIME, "Only files created after this time."),
    query("created_before", TIME, "Only files created before this time."),
    query(
        "sort", {"type": "string", "enum": ["-created", "created"], "default": "-created"}, "Newest or oldest first."
    ),
)

UPLOAD: Component = {
    "required": True,
    "description": "A form with one file and the fields below before it; or bytes of any type,"
    " with the name in the path, in name or in Content-Disposition.",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "name": _TEXT | {"description": "The file's name, instead of its part's filename."},
                    "expires_in": {"type": "integer", "minimum": 1, "maximum": MAX_TTL},
                    "idempotency_key": _TEXT | {"description": "Like the header Idempotency-Key."},
                    FILE_FIELD_NAME: {"type": "string", "contentMediaType": "application/octet-stream"},
                },
                "required": [FILE_FIELD_NAME],
            }
        },
        "*/*": {"schema": {}},
    },
}
IDS: Component = {"required": True, "content": {"application/json": {"schema": ref("Ids")}}}

RANGES = ("ETag", "Last-Modified", "Accept-Ranges", "Content-Disposition")
HEADERS: dict[str, Component] = {
    "Accept-Ranges": {"description": "Byte ranges are supported.", "schema": {"const": "bytes"}, "required": True},
    "Content-Disposition": {
        "description": "inline or attachment, and the filename.",
        "schema": _TEXT,
        "required": True,
    },
    "Content-Range": {"description": "The range sent, and the size of the file.", "schema": _TEXT, "required": True},
    "ETag": {"description": "Changes whenever the representation changes.", "schema": _TEXT, "required": True},
    "Idempotency-Replayed": {"description": "An earlier request created the file.", "schema": {"const": "true"}},
    "Last-Modified": {"description": "When the file was stored.", "schema": _TEXT, "required": True},
    "Location": {"description": "The URL to go to.", "schema": _TEXT, "required": True},
    "Retry-After": {"description": "Seconds after which to repeat the request.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "The authentication scheme.", "schema": _TEXT, "required": True},
    REQUEST_ID: {
        "description": "The request's id, also in the server's log. A client can send its own.",
        "schema": _TEXT,
        "required": True,
    },
}
"""Required headers are in every response that lists them. Also the response to a malformed request has a request id."""
