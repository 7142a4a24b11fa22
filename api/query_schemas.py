"""The query parameters of each operation and the fields of the upload form, one Struct each.

api/parameters.py reads a query into its Struct. The OpenAPI document lists the fields as parameters, and
api/query_names.py rejects all others. `extra["expected"]` describes the value in the detail of an error.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct, field

from api.limits import (
    DEFAULT_LINK_TTL,
    DEFAULT_PAGE_SIZE,
    MAX_ARCHIVE_FILES,
    MAX_LINK_TTL,
    MAX_PAGE_SIZE,
    MAX_TTL,
    MAX_WAIT,
)
from api.schemas import EXAMPLE_ID, EXAMPLE_TIME, Id
from content.filenames import MAX_CODE_POINTS
from file import Mode
from models import UploadStatus

_Cursor = Annotated[UUID, Meta(examples=[EXAMPLE_ID], extra={"expected": "the value of next of the previous page"})]
_Moment = Annotated[datetime, Meta(tz=True, examples=[EXAMPLE_TIME])]
_Ttl = Annotated[int, Meta(ge=1, le=MAX_TTL)]


def _prefix(min_length: int) -> Meta:
    """The beginning of a filename."""
    return Meta(
        min_length=min_length or None,
        max_length=MAX_CODE_POINTS,
        pattern="^[^\\u0000]*$",
        extra={"expected": f"{min_length} to {MAX_CODE_POINTS} characters other than NUL"},
    )


class Query(Struct, frozen=True):
    """Query parameters. A parameter that was not sent has its default."""


class UploadQuery(Query, frozen=True):
    """Query of the upload endpoints."""

    name: Annotated[str | None, Meta(description="The file's name, if neither the path nor a form has it.")] = None
    expires_in: Annotated[_Ttl | None, Meta(description="Seconds until the file is deleted automatically.")] = None


class UploadForm(Struct, frozen=True, kw_only=True):
    """Fields of an upload form. api/upload_request/fields.py reads them."""

    name: Annotated[str | None, Meta(description="The file's name, instead of its part's filename.")] = None
    expires_in: _Ttl | None = None
    idempotency_key: Annotated[str | None, Meta(description="Like the header Idempotency-Key.")] = None
    file: Annotated[str, Meta(extra_json_schema={"contentMediaType": "application/octet-stream"})]


class FileQuery(Query, frozen=True):
    """Query of GET /files/<id>."""

    wait: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_WAIT)] | None,
        Meta(description="Seconds to wait for another status or, with If-None-Match, another ETag."),
    ] = None


class EventsQuery(Query, frozen=True):
    """Query of GET /files/<id>/events."""

    last_event_id: Annotated[
        str | None, Meta(description="Like the header Last-Event-ID, for EventSource polyfills.")
    ] = field(default=None, name="lastEventId")


class ContentQuery(Query, frozen=True):
    """Query of GET /files/<id>/content."""

    redirect: Annotated[Literal["0", "1"], Meta(description="1: redirect to the storage.")] = "0"


class LinkQuery(Query, frozen=True):
    """Query of GET /files/<id>/link."""

    expires: Annotated[int, Meta(ge=1, le=MAX_LINK_TTL, description="Seconds for which the URL is valid.")] = (
        DEFAULT_LINK_TTL
    )


class ArchiveQuery(Query, frozen=True):
    """Query of GET /files.zip."""

    ids: Annotated[
        Annotated[list[Id], Meta(max_length=MAX_ARCHIVE_FILES)] | None,
        Meta(description="Ids, separated by commas."),
    ] = None
    prefix: Annotated[Annotated[str, _prefix(1)] | None, Meta(description="The beginning of the names.")] = None


class ListQuery(Query, frozen=True, kw_only=True):
    """Query of GET /files."""

    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE_SIZE, description="Maximum number of files per page.")] = (
        DEFAULT_PAGE_SIZE
    )
    cursor: Annotated[_Cursor | None, Meta(description="The value of next of the previous page.")] = None
    status: Annotated[UploadStatus | None, Meta(description="Only files with this status.")] = None
    mode: Annotated[Mode | None, Meta(description="Only files uploaded in this mode.")] = None
    prefix: Annotated[
        Annotated[str, _prefix(0)] | None,
        Meta(description="Only files whose names start with this text; case-sensitive."),
    ] = None
    created_after: Annotated[_Moment | None, Meta(description="Only files created after this time.")] = None
    created_before: Annotated[_Moment | None, Meta(description="Only files created before this time.")] = None
    sort: Annotated[Literal["-created", "created"], Meta(description="Newest or oldest first.")] = "-created"

    def filters(self) -> dict[str, Any]:
        """The filters as keyword arguments of queries.page."""
        return {
            "after": self.cursor and str(self.cursor),
            "newest_first": self.sort == "-created",
            "status": self.status,
            "mode": self.mode,
            "prefix": normalized(self.prefix),
            "created_after": self.created_after and self.created_after.timestamp(),
            "created_before": self.created_before and self.created_before.timestamp(),
        }


def normalized(prefix: str | None) -> str | None:
    """The filename prefix in NFC, like every stored name; None for an empty one."""
    return unicodedata.normalize("NFC", prefix) if prefix else None
