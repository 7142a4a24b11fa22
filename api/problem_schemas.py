"""The members of problems (RFC 9457): those of all, and those that some kinds add."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

import problems as p
from api.schemas import Bytes
from models import UploadStatus
from storage.base import ObjectMissing

_Limit = Annotated[int, Meta(ge=1)]


class ProblemDetails(Struct, frozen=True):
    """The members of every problem."""

    type: Annotated[str, Meta(extra_json_schema={"format": "uri-reference"})]
    title: str
    status: int
    detail: str
    instance: str
    request_id: str | UnsetType = UNSET


class TooLong(Struct, frozen=True):
    """The limit in bytes."""

    max_bytes: Bytes


class InBody(Struct, frozen=True):
    """A JSON Pointer (RFC 6901)."""

    pointer: str


class InQuery(Struct, frozen=True):
    """The name of a query parameter or form field."""

    parameter: str


class OfFiles(Struct, frozen=True):
    """The ids of the files."""

    ids: list[str]


class Incomplete(Struct, frozen=True):
    """The ids of the files that are not COMPLETE, and the status of the first."""

    file_status: UploadStatus
    ids: list[str]


class Quota(Struct, frozen=True):
    """An owner's quota, and what counts towards it."""

    quota_bytes: int | None
    used_bytes: int
    quota_files: int | None
    used_files: int


class OfSize(Struct, frozen=True):
    """The size of the file."""

    size: Bytes


class OfScope(Struct, frozen=True):
    """The scope that the key lacks."""

    scope: str


class AtOnce(Struct, frozen=True):
    """How many transfers a client may have at once."""

    most: _Limit


class Types(Struct, frozen=True):
    """The types of a refused file, and the rule."""

    detected_type: str
    declared_type: str
    allowed_types: Annotated[list[str], Meta(description="Accepted types and families. Empty: all.")]
    denied_type: Annotated[str | None, Meta(description="The denied type or family that the file matches.")]


MEMBERS: dict[type[p.Problem], type[Struct]] = {
    p.FilenameTooLong: TooLong,
    p.InvalidBody: InBody,
    p.InvalidParameter: InQuery,
    p.NotFound: OfFiles,
    p.NotReady: Incomplete,
    p.QuotaExceeded: Quota,
    p.RangeNotSatisfiable: OfSize,
    p.ScopeMissing: OfScope,
    p.TooLarge: TooLong,
    p.TooManyDownloads: AtOnce,
    p.TooManyUploads: AtOnce,
    p.TypeNotAllowed: Types,
    ObjectMissing: OfFiles,
}
"""What some kinds add to ProblemDetails. Each of these members may be absent."""
