"""Download views: a file or a byte range of it, a presigned URL, several files as an archive."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial

from flask import Blueprint, Response, g, request
from werkzeug.http import http_date

from api.archives import Member, zip_stream
from api.conditional import if_range_matches, is_not_modified
from api.limits import DEFAULT_LINK_TTL, MAX_ARCHIVE_FILES
from api.lookup import get_file_or_404, get_files_or_404
from api.missing_objects import open_object, recheck_missing, require_object
from api.openapi.components import CONDITIONS, RANGES, response
from api.openapi.operations import Operation
from api.openapi.problem_sets import DOWNLOAD
from api.parameters import parse_query
from api.query_schemas import ArchiveQuery, ContentQuery, LinkQuery, normalized
from api.ranges import parse_range
from api.responses import json_response
from api.schemas import Link
from api.streaming import enforce_length, log_failures, rechunk, streaming_response
from auth.guards import requires_scope
from auth.transfer_slots import download_slot
from content.policy import safe_headers
from lifecycle import queries
from logs import rfc3339
from models import FileRow, UploadStatus
from problems import InvalidParameter, NotFound, NotReady, PreconditionFailed, RangeNotSatisfiable
from services import current_services

downloads = Blueprint("downloads", __name__)


@downloads.get("/files/<id>/content")
@Operation(
    "fetch_file", "Fetch", "The bytes of a file, or a range of them. HEAD is supported, and never redirected.",
    {
        200: response("All bytes.", {}, "*/*", RANGES),
        206: response("The bytes of the range.", {}, "*/*", (*RANGES, "Content-Range")),
        302: response(
            f"With redirect=1: a presigned URL at the storage, valid for {DEFAULT_LINK_TTL} s.",
            {}, "text/plain", ("Location",),
        ),
        304: response("Not modified.", headers=("ETag", "Accept-Ranges")),
    },
    (*DOWNLOAD, PreconditionFailed, RangeNotSatisfiable), query=ContentQuery, headers=CONDITIONS,
)  # fmt: skip
@requires_scope("read")
def content(id: str) -> Response:
    """The bytes of a file; with `redirect=1` a redirect to a presigned URL.

    HEAD is never redirected: the URL is signed for GET, and the storage rejects other methods.
    """
    row = _require_complete([get_file_or_404(id)])[0]
    recheck_missing([row])
    if parse_query(request.args, ContentQuery).redirect == "1" and request.method == "GET":
        return Response(status=302, headers={"Location": _presigned_url(row, DEFAULT_LINK_TTL)}, mimetype="text/plain")
    etag, modified = str(row.sha256), int(row.updated_at)
    validators = {"ETag": f'"{etag}"', "Last-Modified": http_date(modified), "Accept-Ranges": "bytes"}
    if is_not_modified(request.headers, etag, modified):
        return Response(status=304, headers=validators)
    byte_range = None
    if request.method == "GET" and if_range_matches(request.headers.get("If-Range"), etag, modified):
        byte_range = parse_range(request.headers.get("Range"), row.size or 0)
    return _content_response(row, byte_range, validators)


@downloads.get("/files/<id>/link")
@Operation(
    "get_link", "Fetch", "A presigned URL of the file at the storage, which needs no API key.",
    {200: response("The URL.", Link)}, DOWNLOAD, query=LinkQuery,
)  # fmt: skip
@requires_scope("read")
def link(id: str) -> Response:
    """A presigned URL of the file, which needs no API key."""
    row = _require_complete([get_file_or_404(id)])[0]
    ttl = parse_query(request.args, LinkQuery).expires
    expires_at = time.time() + ttl
    return json_response(Link(_presigned_url(row, ttl), rfc3339(expires_at)))


@downloads.get("/files.zip")
@Operation(
    "fetch_archive", "Fetch",
    f"Up to {MAX_ARCHIVE_FILES} files as one zip archive, selected by ids or by prefix.",
    {200: response("The archive.", {}, "application/zip", ("Content-Disposition",))}, DOWNLOAD, query=ArchiveQuery,
)  # fmt: skip
@requires_scope("read")
def archive() -> Response:
    """Several files as one archive."""
    rows = _require_complete(_requested_files())
    recheck_missing(rows)
    storage = current_services().storage
    members = [Member(row.id, row.name, row.size or 0, partial(open_object, storage, row)) for row in rows]
    length, body = zip_stream(members)
    headers = {"Content-Type": "application/zip", "Content-Disposition": 'attachment; filename="files.zip"'}
    headers |= {"Content-Length": str(length)}
    if request.method == "HEAD":
        return Response(headers=headers)
    with ExitStack() as cleanup:
        cleanup.enter_context(download_slot())
        cleanup.enter_context(closing(body))
        return streaming_response(rechunk(enforce_length(body, length)), 200, headers, cleanup)


def _content_response(row: FileRow, byte_range: tuple[int, int] | None, validators: dict[str, str]) -> Response:
    """A file, or `byte_range` of it. HEAD makes no storage request: the row has every header."""
    size = row.size or 0
    first, end = byte_range or (0, size)
    content_type, disposition = safe_headers(row.name, row.detected_type)
    headers = {"Content-Type": content_type, "Content-Disposition": disposition, "Content-Length": str(end - first)}
    headers |= validators | ({"Content-Range": f"bytes {first}-{end - 1}/{size}"} if byte_range else {})
    if request.method == "HEAD":
        return Response(headers=headers)
    with ExitStack() as cleanup:
        cleanup.enter_context(download_slot())
        stream = cleanup.enter_context(closing(open_object(current_services().storage, row, byte_range)))
        body = log_failures(enforce_length(stream, end - first), row.id)
        return streaming_response(body, 206 if byte_range else 200, headers, cleanup)


def _presigned_url(row: FileRow, ttl: int) -> str:
    """A presigned URL, after a check that the object exists: a storage signs any key. Raises ObjectMissing."""
    require_object(row)
    content_type, disposition = safe_headers(row.name, row.detected_type)
    return current_services().storage.presigned_url(row.key, ttl, content_type=content_type, disposition=disposition)


def _require_complete(rows: Sequence[FileRow]) -> Sequence[FileRow]:
    """The files, if all are COMPLETE. Raises NotReady."""
    incomplete = [row for row in rows if row.upload_status != UploadStatus.COMPLETE]
    if incomplete:
        may_complete = all(row.upload_status != UploadStatus.ERROR for row in incomplete)
        raise NotReady(
            may_complete=may_complete, file_status=incomplete[0].upload_status, ids=[row.id for row in incomplete]
        )
    return rows


def _requested_files() -> Sequence[FileRow]:
    """The files selected by `ids` or `prefix`. Raises InvalidParameter, NotFound."""
    query = parse_query(request.args, ArchiveQuery)
    if (query.ids is None) == (query.prefix is None):
        raise InvalidParameter("Send either ids or prefix.", parameter="ids")
    if query.ids is not None:
        return get_files_or_404(query.ids)
    rows = queries.with_prefix(g.principal.owner, str(normalized(query.prefix)), MAX_ARCHIVE_FILES + 1)
    if not rows:
        raise NotFound
    if len(rows) > MAX_ARCHIVE_FILES:
        raise InvalidParameter(f"An archive has at most {MAX_ARCHIVE_FILES} files.", parameter="prefix")
    return rows
