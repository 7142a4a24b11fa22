"""JSON Schemas (2020-12) of request and response bodies. Those of problems are generated from their classes."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import storage  # noqa: F401  registers its errors as problems
from api.limits import MAX_IDS
from file import Mode
from lifecycle.queries import MAX_COUNTED
from models import UploadStatus
from problems import Problem, all_problems

Schema = dict[str, Any]

_EXAMPLE_ID = "01a1f87c-8038-72c3-a4d1-740c5f09daa4"
ID: Schema = {"type": "string", "format": "uuid", "examples": [_EXAMPLE_ID]}
BYTES: Schema = {"type": "integer", "minimum": 0}
MODES: Schema = {"type": "string", "enum": list(get_args(Mode))}
STATUS: Schema = {"type": "string", "enum": [str(status) for status in UploadStatus]}
TIME: Schema = {"type": "string", "format": "date-time", "examples": ["2026-11-20T10:24:31.645Z"]}
_COUNT: Schema = {"type": "integer", "minimum": 1}
_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}

MEMBERS: dict[str, dict[str, Schema]] = {
    "filename-too-long": {"max_bytes": BYTES},
    "invalid-body": {"pointer": _TEXT},
    "invalid-parameter": {"parameter": _TEXT},
    "not-found": {"ids": _TEXTS},
    "not-ready": {"file_status": STATUS, "ids": _TEXTS},
    "object-missing": {"ids": _TEXTS},
    "quota-exceeded": {
        "quota_bytes": {"type": ["integer", "null"]},
        "used_bytes": {"type": "integer"},
        "quota_files": {"type": ["integer", "null"]},
        "used_files": {"type": "integer"},
    },
    "range-not-satisfiable": {"size": BYTES},
    "scope-missing": {"scope": _TEXT},
    "too-large": {"max_bytes": BYTES},
    "too-many-downloads": {"most": _COUNT},
    "too-many-uploads": {"most": _COUNT},
    "type-not-allowed": {
        "detected_type": _TEXT,
        "declared_type": _TEXT,
        "allowed_types": {**_TEXTS, "description": "Accepted types and families. Empty: all."},
        "denied_type": {"type": ["string", "null"], "description": "The denied type or family that the file matches."},
    },
}
"""Members that some problems have in addition to the common ones. All of them are optional."""


def ref(name: str) -> Schema:
    """A reference to a schema by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas() -> dict[str, Schema]:
    """All schemas by name; the name of a problem is its slug."""
    return shapes() | {slug: _problem(slug, kind) for slug, kind in sorted(all_problems().items())}


def shapes() -> dict[str, Schema]:
    """The schemas other than problems, by name."""
    return dict(_SHAPES)


def _problem(slug: str, kind: type[Problem]) -> Schema:
    always = {
        # Not const: behind a proxy with a path prefix, the prefix comes first.
        "type": {**_TEXT, "format": "uri-reference", "pattern": f"/problems/{slug}$"},
        "title": {"const": kind.title},
        "status": {"const": kind.status},
        "detail": _TEXT,
        "instance": _TEXT,
    }
    return {
        "type": "object",
        "title": kind.title,
        "description": inspect.cleandoc(kind.__doc__ or ""),
        "properties": {**always, "request_id": _TEXT, **MEMBERS.get(slug, {})},
        "required": list(always),
    }


def _object(description: str, **properties: Schema) -> Schema:
    """An object with these properties, all required."""
    return {"type": "object", "description": description, "properties": properties, "required": list(properties)}


def _or_null(schema: Schema, description: str) -> Schema:
    return {**schema, "type": [schema["type"], "null"], "description": description}


_EXAMPLE_PATH = f"/files/{_EXAMPLE_ID}"
_EXAMPLE_FILE = {
    "id": _EXAMPLE_ID,
    "name": "README.md",
    "status": "COMPLETE",
    "mode": "normal",
    "size": 5120,
    "content_type": "text/markdown",
    "detected_type": "text/plain",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "url": f"http://127.0.0.1:5003/{_EXAMPLE_ID}--README.md",
    "received_bytes": 5120,
    "stored_bytes": 5120,
    "error": None,
    "error_detail": None,
    "version_id": None,
    "expires_at": None,
    "created_at": "2026-11-20T10:24:31.645Z",
    "updated_at": "2026-11-20T10:24:31.702Z",
    "links": {
        "self": _EXAMPLE_PATH,
        "content": f"{_EXAMPLE_PATH}/content",
        "events": f"{_EXAMPLE_PATH}/events",
    },
}
_SHAPES: dict[str, Schema] = {
    "File": _object(
        "One upload. Times are RFC 3339 UTC, sizes bytes.",
        id={**ID, "description": "The file's id, a UUIDv7: ids sort by creation time."},
        name={**_TEXT, "description": "The last path component of the name that was sent."},
        status={
            **STATUS,
            "description": "PENDING: accepted, not claimed. PROCESSING: claimed by a worker. COMPLETE: stored and"
            " verified. ERROR: ended, see error.",
        },
        mode={**MODES, "description": "The mode of the upload: the first word of its endpoint."},
        size=_or_null(BYTES, "Null until all bytes are received."),
        content_type={**_TEXT, "description": "The type that the client declared."},
        detected_type=_or_null(_TEXT, "The type detected from the first bytes."),
        sha256=_or_null(_TEXT, "SHA-256 of the bytes, in hexadecimal. Null until all bytes are received."),
        url=_or_null(_TEXT, "The object's URL at the storage, once the file is COMPLETE."),
        received_bytes={**BYTES, "description": "Bytes received."},
        stored_bytes={**BYTES, "description": "Bytes acknowledged by the storage."},
        error=_or_null(_TEXT, "Why it failed or waits: the last segment of a problem's type, or client-disconnected."),
        error_detail=_or_null(_TEXT, "Details of the error for people, such as the storage's own code."),
        version_id=_or_null(_TEXT, "The object's version id, if the bucket is versioned."),
        expires_at=_or_null(TIME, "When the file is deleted automatically."),
        created_at={**TIME, "description": "When the upload began."},
        updated_at={**TIME, "description": "When the file last changed."},
        links=_object(
            "Paths of this file.",
            self={**_TEXT, "description": "The status of the file."},
            content={**_TEXT, "description": "The bytes of the file."},
            events={**_TEXT, "description": "The changes of the file, as server-sent events."},
        ),
    )
    | {"examples": [_EXAMPLE_FILE]},
    "FileList": _object(
        "A page of files.",
        files={"type": "array", "items": ref("File"), "description": "The files, in the requested order."},
        next=_or_null(ID, "The cursor of the next page; null on the last page."),
    ),
    "Statuses": _object(
        "Several files, in the requested order.",
        files={"type": "array", "items": ref("File"), "description": "The files that exist."},
        unknown={**_TEXTS, "description": "The unknown ids."},
    ),
    "Deleted": _object(
        "The deleted and the unknown ids.",
        deleted={**_TEXTS, "description": "The ids of the deleted files."},
        unknown={**_TEXTS, "description": "The unknown ids."},
    ),
    "Link": _object(
        "A presigned URL, which needs no key.",
        url={**_TEXT, "description": "The URL at the storage."},
        expires_at={**TIME, "description": "When the URL expires."},
    ),
    "Event": _object(
        "One event of the stream.",
        id={**_TEXT, "description": "The ETag of the file's state, without the quotes."},
        event={"const": "file", "description": "Always file."},
        data={
            **_TEXT,
            "description": "The file as JSON on one line.",
            "contentMediaType": "application/json",
            "contentSchema": ref("File"),
        },
    ),
    "Health": _object("The state of the service.", status={**_TEXT, "description": "ok"}),
    "Readiness": _object(
        "The state of the service.",
        status={**_TEXT, "description": "ready"},
        celery={**ref("Waiting"), "description": "Files that wait for a worker."},
    ),
    "Waiting": _object(
        "Files that have waited for a worker for over two leases.",
        waiting={"type": "integer", "minimum": 0, "description": f"How many files; at most {MAX_COUNTED} are counted."},
        oldest_seconds={"type": "integer", "minimum": 0, "description": "The longest wait, in seconds."},
    ),
    "Ids": {
        **_object("Ids of files.", ids={**_TEXTS, "minItems": 1, "maxItems": MAX_IDS, "description": "The ids."}),
        "additionalProperties": False,
        "examples": [{"ids": [_EXAMPLE_ID]}],
    },
}
