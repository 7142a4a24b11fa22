"""The members of problem details (RFC 9457), and which kinds of problems have more than the common ones."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

import problems as p
from api.schemas import Bytes
from models import UploadStatus
from storage.base import ObjectMissing

_Limit = Annotated[int, Meta(ge=1)]


class ProblemDetails(Struct, frozen=True, kw_only=True):
    """A problem. Those after `request_id` are members of the kinds in MEMBERS, which may leave them out."""

    type: Annotated[str, Meta(extra_json_schema={"format": "uri-reference"})]
    title: str
    status: int
    detail: str
    instance: str
    request_id: str | UnsetType = UNSET
    allowed_types: Annotated[list[str], Meta(description="Accepted types and families. Empty: all.")] | UnsetType = (
        UNSET
    )
    declared_type: str | UnsetType = UNSET
    denied_type: (
        Annotated[str | None, Meta(description="The denied type or family that the file matches.")] | UnsetType
    ) = UNSET
    detected_type: str | UnsetType = UNSET
    file_status: UploadStatus | UnsetType = UNSET
    ids: list[str] | UnsetType = UNSET
    max_bytes: Bytes | UnsetType = UNSET
    most: _Limit | UnsetType = UNSET
    parameter: str | UnsetType = UNSET
    pointer: str | UnsetType = UNSET
    quota_bytes: int | UnsetType | None = UNSET
    quota_files: int | UnsetType | None = UNSET
    scope: str | UnsetType = UNSET
    size: Bytes | UnsetType = UNSET
    used_bytes: int | UnsetType = UNSET
    used_files: int | UnsetType = UNSET


MEMBERS: dict[type[p.Problem], tuple[str, ...]] = {
    p.FilenameTooLong: ("max_bytes",),
    p.InvalidBody: ("pointer",),
    p.InvalidParameter: ("parameter",),
    p.NotFound: ("ids",),
    p.NotReady: ("file_status", "ids"),
    p.QuotaExceeded: ("quota_bytes", "used_bytes", "quota_files", "used_files"),
    p.RangeNotSatisfiable: ("size",),
    p.ScopeMissing: ("scope",),
    p.TooLarge: ("max_bytes",),
    p.TooManyDownloads: ("most",),
    p.TooManyUploads: ("most",),
    p.TypeNotAllowed: ("detected_type", "declared_type", "allowed_types", "denied_type"),
    ObjectMissing: ("ids",),
}
