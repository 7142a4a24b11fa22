"""Building blocks of operations: parameters, headers, request bodies and responses (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

from api.openapi.schemas import Schema, Shape, properties, ref
from api.query_schemas import Query, UploadForm
from api.schemas import EXAMPLE_ID, File, Ids
from lifecycle.idempotency import KEY_PATTERN, MAX_KEY_LENGTH
from server.request_ids import HEADER as REQUEST_ID

Component = dict[str, Any]
_TEXT: Schema = {"type": "string"}


def _parameter(location: str, name: str, schema: Schema, description: str) -> Component:
    return {"name": name, "in": location, "description": description, "schema": schema}


def query_parameters(shape: type[Query]) -> tuple[Component, ...]:
    """The fields of a query as parameters. Lists are sent with commas."""
    return tuple(_query_parameter(name, schema) for name, schema in properties(shape).items())


def _query_parameter(name: str, schema: Schema) -> Component:
    own = {key: value for key, value in schema.items() if key != "description"}
    style = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
    return _parameter("query", name, own, schema["description"]) | style


def response(
    description: str,
    body: Shape | Schema | None = None,
    content_type: str = "application/json",
    headers: tuple[str, ...] = (),
    *,
    links_to_file: bool = False,
) -> Component:
    """A success response. `links_to_file`: its body contains a file id; add OpenAPI links."""
    links = {} if not links_to_file else {name: _LINK | {"operationId": name} for name in _FILE_OPERATIONS}
    schema = ref(body.__name__) if isinstance(body, type) else body
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

_ID: Schema = {"type": "string", "format": "uuid", "examples": [EXAMPLE_ID]}
_SLUG: Schema = _TEXT | {"examples": ["too-large"]}
PATH_PARAMETERS = {
    name: _parameter("path", name, schema, description) | {"required": True}
    for name, schema, description in (
        ("id", _ID, "The file's id, from the response to its upload."),
        ("slug", _SLUG, "The last segment of the problem's type."),
        ("name", _TEXT, "The file's name. Leading folders are removed."),
    )
}
"""The parameters of paths, by the name of the URL rule's variable."""

UPLOAD_HEADERS = (
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
LAST_EVENT_ID = (_parameter("header", "Last-Event-ID", _TEXT, "The last event received: it is not sent again."),)

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

UPLOAD_BODY: Component = {
    "required": True,
    "description": "A form with one file and the fields below before it; or bytes of any type,"
    " with the name in the path, in name or in Content-Disposition.",
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "properties": properties(UploadForm), "required": ["file"]},
        },
        "*/*": {"schema": {}},
    },
}
UPLOAD_ANSWER = response("The file.", File, headers=("Location", "Idempotency-Replayed"), links_to_file=True)
UPLOAD_REDIRECT = response(
    "For a client that prefers text/html, such as a browser's form: the file's page is at Location.",
    headers=("Location", "Idempotency-Replayed"),
)
IDS: Component = {"required": True, "content": {"application/json": {"schema": ref(Ids.__name__)}}}

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
