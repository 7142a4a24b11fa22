"""Building blocks of operations: parameters, headers, request bodies and responses (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

from api.limits import DEFAULT_PAGE_SIZE, MAX_ARCHIVE_FILES, MAX_PAGE_SIZE, MAX_TTL
from api.openapi.schemas import ID, MODES, STATUS, TIME, Schema, ref
from api.upload_request import FIELD
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

ID_IN_PATH = _parameter("path", "id", ID, "The file's id, as the answer to its upload has it.") | {"required": True}
SLUG_IN_PATH = _parameter(
    "path", "slug", _TEXT | {"examples": ["too-large"]}, "The last part of the problem's type."
) | {"required": True}
NAME_IN_PATH = _parameter("path", "name", _TEXT, "The file's name. Folders in front of it are cut off.") | {
    "required": True
}
UPLOAD_PARAMETERS = (
    query("name", _TEXT, "The file's name, if neither the path nor a form has it."),
    number("expires_in", 1, MAX_TTL, "Seconds after which the file is deleted by itself."),
    _parameter(
        "header",
        "Idempotency-Key",
        {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": f"^{KEY_PATTERN}$"},
        "A request that comes again with the same key makes no second file.",
    ),
    _parameter(
        "header",
        "Content-Disposition",
        _TEXT | {"examples": ['attachment; filename="a.txt"']},
        "The file's name as filename or filename* (RFC 6266).",
    ),
)
LAST_EVENT_ID = (
    _parameter("header", "Last-Event-ID", _TEXT, "The event that the client has: it is not sent again."),
    query("lastEventId", _TEXT, "The same, as EventSource polyfills send it."),
)
IDS_IN_QUERY = query(
    "ids", {"type": "array", "items": ID, "maxItems": MAX_ARCHIVE_FILES}, "Ids, with commas between them."
) | {
    "style": "form",
    "explode": False,
}

_DATE = {"type": "string", "examples": ["Fri, 20 Nov 2026 10:24:31 GMT"]}
_IF_MATCH = _parameter("header", "If-Match", _TEXT, "ETags, one of which it must have: else 412.")
_IF_NONE_MATCH = _parameter("header", "If-None-Match", _TEXT, "ETags that the client has: 304 for one of them.")
STATE_CONDITIONS = (_IF_MATCH, _IF_NONE_MATCH)
CONDITIONS = (
    _parameter("header", "Range", _TEXT | {"examples": ["bytes=0-99"]}, "Which bytes: one range."),
    _parameter("header", "If-Range", _TEXT, "The ETag or date of what the client has a part of."),
    _IF_MATCH,
    _IF_NONE_MATCH,
    _parameter("header", "If-Modified-Since", _DATE, "304 where it is not newer."),
    _parameter("header", "If-Unmodified-Since", _DATE, "412 where it is newer."),
)

PAGE = (
    number("limit", 1, MAX_PAGE_SIZE, "Most files of a page.", DEFAULT_PAGE_SIZE),
    query("cursor", ID, "next of the page before."),
    query("status", STATUS, "Only those of this status."),
    query("mode", MODES, "Only those that came this way."),
    query("prefix", _TEXT, "Only those whose names start so; capitals count."),
    query("created_after", TIME, "Only those made after this time."),
    query("created_before", TIME, "Only those made before this time."),
    query(
        "sort", {"type": "string", "enum": ["-created", "created"], "default": "-created"}, "Newest or oldest first."
    ),
)

UPLOAD: Component = {
    "required": True,
    "description": "A form with one file and, in front of it, the fields that are read; or bytes of any type,"
    " with its name in the path, in name or in Content-Disposition.",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "name": _TEXT | {"description": "The file's name, in place of its part's filename."},
                    "expires_in": {"type": "integer", "minimum": 1, "maximum": MAX_TTL},
                    "idempotency_key": _TEXT | {"description": "As the header Idempotency-Key."},
                    FIELD: {"type": "string", "contentMediaType": "application/octet-stream"},
                },
                "required": [FIELD],
            }
        },
        "*/*": {"schema": {}},
    },
}
IDS: Component = {"required": True, "content": {"application/json": {"schema": ref("Ids")}}}

RANGES = ("ETag", "Last-Modified", "Accept-Ranges", "Content-Disposition")
HEADERS: dict[str, Component] = {
    "Accept-Ranges": {"description": "Parts can be asked for.", "schema": {"const": "bytes"}, "required": True},
    "Content-Disposition": {"description": "Show or keep, and the name.", "schema": _TEXT, "required": True},
    "Content-Range": {"description": "Which bytes, of how many.", "schema": _TEXT, "required": True},
    "ETag": {"description": "Another if, and only if, what is answered is.", "schema": _TEXT, "required": True},
    "Idempotency-Replayed": {"description": "The file was made by a request before.", "schema": {"const": "true"}},
    "Last-Modified": {"description": "When the file was stored.", "schema": _TEXT, "required": True},
    "Location": {"description": "Where to go.", "schema": _TEXT, "required": True},
    "Retry-After": {"description": "Seconds after which it is worth asking again.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "How to say who one is.", "schema": _TEXT, "required": True},
    REQUEST_ID: {
        "description": "Stands in the server's log too. A client may send its own.",
        "schema": _TEXT,
        "required": True,
    },
}
"""Required headers are in every response that lists them. Also the response to a malformed request has a request id."""
