"""The doors through which files go out: one, some of its bytes, a way to it at the storage, or many as an archive."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.http import http_date

from api.archives import Member, zip_stream
from api.conditional import if_range_matches, is_not_modified
from api.lookup import get_file_or_404, get_files_or_404
from api.objects import open_object, recheck_missing, require_object
from api.parameters import choice, name_prefix, number
from api.ranges import parse_range
from api.responses import rfc3339
from api.streaming import enforce_length, log_failures, rechunk, streaming_response
from auth.guards import requires_scope
from auth.transfer_slots import download_slot
from content.policy import safe_headers
from lifecycle import queries
from models import File, UploadStatus
from problems import InvalidParameter, NotFound, NotReady
from services import current_services

downloads = Blueprint("downloads", __name__)

_MOST_IN_AN_ARCHIVE = 1000
_LINK_SECONDS, _LONGEST_LINK = 300, 900


@downloads.get("/files/<id>/content")
@requires_scope("read")
def content(id: str) -> Response:
    """The bytes of a file, or with `redirect=1` a way to them at the storage.

    HEAD is answered here in any case: a link is signed for GET alone, and the storage would refuse it.
    """
    row = _ready([get_file_or_404(id)])[0]
    recheck_missing([row])
    if choice(request.args, "redirect", ("0", "1"), "0") == "1" and request.method == "GET":
        return Response(status=302, headers={"Location": _link(row, _LINK_SECONDS)}, mimetype="text/plain")
    etag, modified = str(row.sha256), int(row.updated_at)
    known = {"ETag": f'"{etag}"', "Last-Modified": http_date(modified), "Accept-Ranges": "bytes"}
    if is_not_modified(request.headers, etag, modified):
        return Response(status=304, headers=known)
    wanted = None
    if request.method == "GET" and if_range_matches(request.headers.get("If-Range"), etag, modified):
        wanted = parse_range(request.headers.get("Range"), row.size or 0)
    return _bytes_of(row, wanted, known)


@downloads.get("/files/<id>/link")
@requires_scope("read")
def link(id: str) -> dict[str, Any]:
    """An address at the storage that gives the file to whoever has it, for a while."""
    row, seconds = _ready([get_file_or_404(id)])[0], number(request.args, "expires", 1, _LONGEST_LINK, _LINK_SECONDS)
    until = time.time() + seconds
    return {"url": _link(row, seconds), "expires_at": rfc3339(until)}


@downloads.get("/files.zip")
@requires_scope("read")
def archive() -> Response:
    """Several files as one archive."""
    rows = _ready(_asked_for())
    recheck_missing(rows)
    objects = current_services().storage
    members = [Member(row.id, row.name, row.size or 0, partial(open_object, objects, row)) for row in rows]
    length, body = zip_stream(members)
    headers = {"Content-Type": "application/zip", "Content-Disposition": 'attachment; filename="files.zip"'}
    headers |= {"Content-Length": str(length)}
    if request.method == "HEAD":
        return Response(headers=headers)
    with ExitStack() as held:
        held.enter_context(download_slot())
        held.enter_context(closing(body))
        return streaming_response(rechunk(enforce_length(body, length)), 200, headers, held)


def _bytes_of(row: File, wanted: tuple[int, int] | None, known: dict[str, str]) -> Response:
    """All of a file, or what is `wanted` of it. HEAD asks the storage for nothing: the row knows all that is said."""
    size = row.size or 0
    first, end = wanted or (0, size)
    content_type, disposition = safe_headers(row.name, row.detected_type)
    headers = {"Content-Type": content_type, "Content-Disposition": disposition, "Content-Length": str(end - first)}
    headers |= known | ({"Content-Range": f"bytes {first}-{end - 1}/{size}"} if wanted else {})
    if request.method == "HEAD":
        return Response(headers=headers)
    with ExitStack() as held:
        held.enter_context(download_slot())
        stream = held.enter_context(closing(open_object(current_services().storage, row, wanted)))
        return streaming_response(
            log_failures(enforce_length(stream, end - first), row.id), 206 if wanted else 200, headers, held
        )


def _link(row: File, seconds: int) -> str:
    """Where the storage has the object. It is asked first: an address that leads nowhere helps no client."""
    require_object(row)
    content_type, disposition = safe_headers(row.name, row.detected_type)
    return current_services().storage.presigned_url(
        row.key, seconds, content_type=content_type, disposition=disposition
    )


def _ready(rows: Sequence[File]) -> Sequence[File]:
    """The files, if all are stored. Raises NotReady."""
    others = [row for row in rows if row.upload_status != UploadStatus.COMPLETE]
    if others:
        may_complete = all(row.upload_status != UploadStatus.ERROR for row in others)
        raise NotReady(may_complete=may_complete, file_status=others[0].upload_status, ids=[row.id for row in others])
    return rows


def _asked_for() -> Sequence[File]:
    """The files that `ids` or `prefix` name."""
    ids, prefix = request.args.get("ids"), name_prefix(request.args)
    if (ids is None) == (prefix is None):
        raise InvalidParameter("Name the files with ids or with prefix, one of the two.", parameter="ids")
    if ids is not None:
        return get_files_or_404(_at_most(list(dict.fromkeys(ids.split(","))), "ids"))
    if not prefix:
        raise InvalidParameter("prefix is the start of the files' names.", parameter="prefix")
    rows = queries.with_prefix(g.principal.owner, prefix, _MOST_IN_AN_ARCHIVE + 1)
    if not rows:
        raise NotFound
    return _at_most(rows, "prefix")


def _at_most(named: Sequence[Any], parameter: str) -> Sequence[Any]:
    if len(named) > _MOST_IN_AN_ARCHIVE:
        raise InvalidParameter(f"An archive has at most {_MOST_IN_AN_ARCHIVE} files.", parameter=parameter)
    return named
