"""The objects in answers and JSON bodies, one Struct each. Those in queries and forms: api/query_schemas.py.

A Struct serialises its object or validates it, and generates its schema in the OpenAPI document and the client's
dataclass (dev/client_shapes.py). The docstring describes the object, `Meta` a field. Fields are in the order of the
JSON; a field without a value is null, never absent.
"""

from __future__ import annotations

from typing import Annotated, Literal, cast

from msgspec import Meta, Struct

import models
from api.limits import MAX_IDS
from file import Mode
from lifecycle.queries import MAX_COUNTED
from logs import rfc3339
from models import UploadStatus

EXAMPLE_ID = "01a1f87c-8038-72c3-a4d1-740c5f09daa4"
EXAMPLE_TIME = "2026-11-20T10:24:31.645Z"

Id = Annotated[str, Meta(extra_json_schema={"format": "uuid"}, examples=[EXAMPLE_ID])]
Bytes = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, examples=[EXAMPLE_TIME])]


class Links(Struct, frozen=True):
    """Paths of this file."""

    self: Annotated[str, Meta(description="The status of the file.")]
    content: Annotated[str, Meta(description="The bytes of the file.")]
    events: Annotated[str, Meta(description="The changes of the file, as server-sent events.")]


class File(Struct, frozen=True, kw_only=True):
    """One upload. Times are RFC 3339 UTC, sizes bytes."""

    id: Annotated[Id, Meta(description="The file's id, a UUIDv7: ids sort by creation time.")]
    name: Annotated[str, Meta(description="The last path component of the name that was sent.")]
    status: Annotated[
        UploadStatus,
        Meta(
            description="PENDING: accepted, not claimed. PROCESSING: claimed by a worker. COMPLETE: stored and"
            " verified. ERROR: ended, see error."
        ),
    ]
    mode: Annotated[Mode, Meta(description="The mode of the upload: the first word of its endpoint.")]
    size: Annotated[Bytes | None, Meta(description="Null until all bytes are received.")]
    content_type: Annotated[str, Meta(description="The type that the client declared.")]
    detected_type: Annotated[str | None, Meta(description="The type detected from the first bytes.")]
    sha256: Annotated[
        str | None, Meta(description="SHA-256 of the bytes, in hexadecimal. Null until all bytes are received.")
    ]
    url: Annotated[str | None, Meta(description="The object's URL at the storage, once the file is COMPLETE.")]
    received_bytes: Annotated[Bytes, Meta(description="Bytes received.")]
    stored_bytes: Annotated[Bytes, Meta(description="Bytes acknowledged by the storage.")]
    error: Annotated[
        str | None,
        Meta(description="Why it failed or waits: the last segment of a problem's type, or client-disconnected."),
    ]
    error_detail: Annotated[
        str | None, Meta(description="Details of the error for people, such as the storage's own code.")
    ]
    version_id: Annotated[str | None, Meta(description="The object's version id, if the bucket is versioned.")]
    expires_at: Annotated[Time | None, Meta(description="When the file is deleted automatically.")]
    created_at: Annotated[Time, Meta(description="When the upload began.")]
    updated_at: Annotated[Time, Meta(description="When the file last changed.")]
    links: Annotated[Links, Meta(description="Paths of this file.")]

    @classmethod
    def from_row(cls, row: models.FileRow, root: str) -> File:
        """The file of a row. `root` is the path that the service is mounted under, without a final slash."""
        path = f"{root}/files/{row.id}"
        return cls(
            id=row.id,
            name=row.name,
            status=row.upload_status,
            mode=cast(Mode, row.mode),
            size=row.size,
            content_type=row.content_type,
            detected_type=row.detected_type,
            sha256=row.sha256,
            url=row.url,
            received_bytes=row.received_bytes,
            stored_bytes=row.stored_bytes,
            error=row.error,
            error_detail=row.error_detail,
            version_id=row.version_id,
            expires_at=rfc3339(row.expires_at) if row.expires_at else None,
            created_at=rfc3339(row.created_at),
            updated_at=rfc3339(row.updated_at),
            links=Links(path, f"{path}/content", f"{path}/events"),
        )


class FileList(Struct, frozen=True):
    """A page of files."""

    files: Annotated[list[File], Meta(description="The files, in the requested order.")]
    next: Annotated[Id | None, Meta(description="The cursor of the next page; null on the last page.")]


class Statuses(Struct, frozen=True):
    """Several files, in the requested order."""

    files: Annotated[list[File], Meta(description="The files that exist.")]
    unknown: Annotated[list[str], Meta(description="The unknown ids.")]


class Deleted(Struct, frozen=True):
    """The deleted and the unknown ids."""

    deleted: Annotated[list[str], Meta(description="The ids of the deleted files.")]
    unknown: Annotated[list[str], Meta(description="The unknown ids.")]


class Link(Struct, frozen=True):
    """A presigned URL, which needs no key."""

    url: Annotated[str, Meta(description="The URL at the storage.")]
    expires_at: Annotated[Time, Meta(description="When the URL expires.")]


class Event(Struct, frozen=True):
    """One event of the stream."""

    id: Annotated[str, Meta(description="The ETag of the file's state, without the quotes.")]
    event: Annotated[Literal["file"], Meta(description="Always file.")]
    data: Annotated[
        str,
        Meta(
            description="The file as JSON on one line.",
            extra_json_schema={
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/File"},
            },
        ),
    ]


class Health(Struct, frozen=True):
    """The state of the service."""

    status: Annotated[str, Meta(description="ok")]


class Waiting(Struct, frozen=True):
    """Files that have waited for a worker for over two leases."""

    waiting: Annotated[Count, Meta(description=f"How many files; at most {MAX_COUNTED} are counted.")]
    oldest_seconds: Annotated[Count, Meta(description="The longest wait, in seconds.")]


class Readiness(Struct, frozen=True):
    """The state of the service."""

    status: Annotated[str, Meta(description="ready")]
    celery: Annotated[Waiting, Meta(description="Files that wait for a worker.")]


class Ids(Struct, frozen=True, forbid_unknown_fields=True):
    """Ids of files."""

    ids: Annotated[list[str], Meta(min_length=1, max_length=MAX_IDS, description="The ids.")]

    def unique(self) -> list[str]:
        """The ids without duplicates, in order."""
        return list(dict.fromkeys(self.ids))


_EXAMPLE_PATH = f"/files/{EXAMPLE_ID}"
EXAMPLES: dict[type[Struct], Struct] = {
    File: File(
        id=EXAMPLE_ID,
        name="README.md",
        status=UploadStatus.COMPLETE,
        mode="normal",
        size=5120,
        content_type="text/markdown",
        detected_type="text/plain",
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        url=f"http://127.0.0.1:5003/{EXAMPLE_ID}--README.md",
        received_bytes=5120,
        stored_bytes=5120,
        error=None,
        error_detail=None,
        version_id=None,
        expires_at=None,
        created_at=EXAMPLE_TIME,
        updated_at="2026-11-20T10:24:31.702Z",
        links=Links(_EXAMPLE_PATH, f"{_EXAMPLE_PATH}/content", f"{_EXAMPLE_PATH}/events"),
    ),
    Ids: Ids([EXAMPLE_ID]),
}
"""An example of a shape, for the OpenAPI document."""
