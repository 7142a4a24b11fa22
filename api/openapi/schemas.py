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
        "allowed_types": {**_TEXTS, "description": "Types and families that are accepted. Empty: all."},
        "denied_type": {"type": ["string", "null"], "description": "The type or family that refuses the file."},
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
        id={**ID, "description": "Its id, in the order in which files came (UUIDv7)."},
        name={**_TEXT, "description": "The last component of the name that was sent."},
        status={
            **STATUS,
            "description": "PENDING: accepted, not claimed. PROCESSING: claimed by a worker. COMPLETE: stored and"
            " verified. ERROR: ended, see error.",
        },
        mode={**MODES, "description": "How it was uploaded: the first word of the endpoint."},
        size=_or_null(BYTES, "Null until all bytes have come."),
        content_type={**_TEXT, "description": "What the client says that the file is."},
        detected_type=_or_null(_TEXT, "What its first bytes say."),
        sha256=_or_null(_TEXT, "Of its bytes, in hexadecimal. Null until all have come."),
        url=_or_null(_TEXT, "Its address at the storage, once it is COMPLETE."),
        received_bytes={**BYTES, "description": "So many have come."},
        stored_bytes={**BYTES, "description": "So many of them the storage has acknowledged."},
        error=_or_null(_TEXT, "Why it ended or waits: the last part of a problem's type, or client-disconnected."),
        error_detail=_or_null(_TEXT, "What it was in particular, such as the storage's own code. For people."),
        version_id=_or_null(_TEXT, "The storage's name for these bytes, where the bucket keeps versions."),
        expires_at=_or_null(TIME, "When it is deleted by itself."),
        created_at={**TIME, "description": "When its upload began."},
        updated_at={**TIME, "description": "When anything here changed last."},
        links=_object(
            "Addresses of this file.",
            self={**_TEXT, "description": "The file itself."},
            content={**_TEXT, "description": "Its bytes."},
            events={**_TEXT, "description": "Its changes, as server-sent events."},
        ),
    )
    | {"examples": [_EXAMPLE_FILE]},
    "FileList": _object(
        "A page of files.",
        files={"type": "array", "items": ref("File"), "description": "The files, in the order asked."},
        next=_or_null(ID, "The cursor of the page after this; null at the end."),
    ),
    "Statuses": _object(
        "Several files, in the order asked.",
        files={"type": "array", "items": ref("File"), "description": "The files that exist."},
        unknown={**_TEXTS, "description": "The ids for which there is no file."},
    ),
    "Deleted": _object(
        "Which ids were of files, and are no more.",
        deleted={**_TEXTS, "description": "The ids whose files are deleted."},
        unknown={**_TEXTS, "description": "The ids for which there is no file."},
    ),
    "Link": _object(
        "A way to a file that needs no key.",
        url={**_TEXT, "description": "The signed address at the storage."},
        expires_at={**TIME, "description": "When it stops working."},
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
    "Health": _object("How the service is.", status={**_TEXT, "description": "ok"}),
    "Readiness": _object(
        "How the service is.",
        status={**_TEXT, "description": "ready"},
        celery={**ref("Waiting"), "description": "The files that wait for a worker."},
    ),
    "Waiting": _object(
        "Files that have waited for a worker for over two leases.",
        waiting={"type": "integer", "minimum": 0, "description": f"How many; at most {MAX_COUNTED} are counted."},
        oldest_seconds={"type": "integer", "minimum": 0, "description": "The longest wait, in seconds."},
    ),
    "Ids": {
        **_object(
            "The files that are meant.", ids={**_TEXTS, "minItems": 1, "maxItems": MAX_IDS, "description": "Their ids."}
        ),
        "additionalProperties": False,
        "examples": [{"ids": [_EXAMPLE_ID]}],
    },
}
