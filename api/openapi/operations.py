"""Every operation with its parameters, responses and problems. Tests compare this table with the views."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import problems as p
from api.limits import DEFAULT_LINK_TTL, MAX_ARCHIVE_FILES, MAX_IDS, MAX_LINK_TTL, MAX_WAIT
from api.openapi.components import (
    CONDITIONS,
    ID_IN_PATH,
    IDS,
    IDS_IN_QUERY,
    LAST_EVENT_ID,
    NAME_IN_PATH,
    PAGE,
    RANGES,
    SLUG_IN_PATH,
    STATE_CONDITIONS,
    UPLOAD,
    UPLOAD_PARAMETERS,
    flag,
    html_or_json,
    number,
    query,
    response,
)
from api.openapi.schemas import ref
from auth.guards import Scope
from storage.base import ObjectMissing, StorageError, StorageUnavailable

Kinds = tuple[type[p.Problem], ...]


@dataclass(frozen=True)
class Operation:
    """One method of one path. `problems` are in addition to COMMON, AUTH and UNSAFE."""

    id: str
    method: str
    path: str
    tag: str
    scope: Scope | None
    summary: str
    answers: dict[str, dict[str, Any]]
    problems: Kinds = ()
    parameters: tuple[dict[str, Any], ...] = ()
    body: dict[str, Any] | None = None


COMMON: Kinds = (
    p.Problem, p.BadRequest, p.BadEncoding, p.UntrustedHost, p.RequestTimeout, p.UriTooLong, p.ExpectationFailed,
    p.HeadersTooLarge, p.TransferCodingUnknown, p.VersionNotSupported,
)  # fmt: skip
AUTH: Kinds = (p.Unauthorized, p.ScopeMissing, p.TooManyRequests, p.DatabaseUnavailable, p.InvalidParameter)
UNSAFE: Kinds = (p.CrossSiteRequest,)
"""Of every method except GET."""

ROUTING: Kinds = (p.NotFound, p.MethodNotAllowed)
"""Of every other path and method."""

_STORAGE: Kinds = (
    StorageError,
    *StorageError.__subclasses__(),
    *StorageUnavailable.__subclasses__(),
)
_JSON: Kinds = (p.UnsupportedMediaType, p.TooLarge, p.IncompleteBody, p.InvalidBody, p.TooManyUploads)
_UPLOAD: Kinds = (
    p.MissingFile, p.MissingFilename, p.FilenameTooLong, p.TooManyFiles, p.UnexpectedFile, p.ChunkedUpload,
    p.MalformedMultipart, p.FormTooLarge, p.IncompleteBody, p.TooLarge, p.UnsupportedMediaType, p.TypeNotAllowed,
    p.LengthRequired, p.TooManyUploads, p.QuotaExceeded, p.IdempotencyKeyInvalid,
    p.IdempotencyKeyInUse, p.IdempotencyKeyReused,
)  # fmt: skip
_STORED: Kinds = (p.Deleted, p.LeaseLost, *_STORAGE)
_KEPT: Kinds = (p.SpoolDiskFull, p.SpoolLimitReached)
_FETCH: Kinds = (p.NotFound, p.NotReady, ObjectMissing, *_STORAGE, p.TooManyDownloads)


def _uploads(mode: str, status: str, summary: str, more: Kinds) -> Iterator[Operation]:
    """POST and PUT, with and without the file's name in the path."""
    done = response("The file.", ref("File"), headers=("Location", "Idempotency-Replayed"), links_to_file=True)
    seen = response(
        "For a client that prefers text/html, such as a browser's form: the file's page is at Location.",
        headers=("Location", "Idempotency-Replayed"),
    )
    for suffix, path, parameters in (("", "", ()), ("_named", "/{name}", (NAME_IN_PATH,))):
        for prefix, method in (("", "post"), ("put_", "put")):
            yield Operation(
                f"{prefix}{mode}_upload{suffix}", method, f"/{mode}_upload{path}", "Upload", "upload", summary,
                {status: done, "303": seen}, (*_UPLOAD, *more), (*parameters, *UPLOAD_PARAMETERS), UPLOAD,
            )  # fmt: skip


OPERATIONS = (
    *_uploads("normal", "201", "Store the file while it arrives; respond when it is stored.", _STORED),
    *_uploads("async", "202", "Spool the file and respond; a thread stores it.", _KEPT),
    *_uploads("celery", "202", "Spool the file and respond; a Celery worker stores it.", _KEPT),
    Operation(
        "retry_file", "post", "/files/{id}/retry", "Upload", "upload",
        "Retry a file with status ERROR whose bytes are still spooled.",
        {"202": response("The file, queued again.", ref("File"), headers=("Location",))},
        (p.NotFound, p.NotFailed, p.BytesGone, p.QuotaExceeded), (ID_IN_PATH,),
    ),
    Operation(
        "get_file", "get", "/files/{id}", "Watch", "read",
        "The status of a file; with wait as soon as it has changed.",
        {
            "200": html_or_json(response(
                "The file; a page without an ETag for a client that prefers text/html.",
                ref("File"), headers=("ETag", "Retry-After"),
            )),
            "304": response("Not modified.", headers=("ETag", "Retry-After")),
        },
        (p.NotFound, p.PreconditionFailed),
        (
            ID_IN_PATH,
            number("wait", 1, MAX_WAIT, "Seconds to wait for another status or, with If-None-Match, another ETag."),
            *STATE_CONDITIONS,
        ),
    ),
    Operation(
        "watch_file", "get", "/files/{id}/events", "Watch", "read",
        "The changes of a file as server-sent events: event file, the file as JSON in data, its ETag as id.",
        {
            "200": response("Events, until the file has ended.", ref("Event"), "text/event-stream"),
            "204": response("The file has ended, and its last event is Last-Event-ID."),
        },
        (p.NotFound, p.TooManyWatchers), (ID_IN_PATH, *LAST_EVENT_ID),
    ),
    Operation(
        "get_statuses", "post", "/files/status", "Watch", "read", f"The status of up to {MAX_IDS} files.",
        {"200": response("The files found.", ref("Statuses"))}, _JSON, body=IDS,
    ),
    Operation(
        "fetch_file", "get", "/files/{id}/content", "Fetch", "read",
        "The bytes of a file, or a range of them. HEAD is supported, and never redirected.",
        {
            "200": response("All bytes.", {}, "*/*", RANGES),
            "206": response("The bytes of the range.", {}, "*/*", (*RANGES, "Content-Range")),
            "302": response(
                f"With redirect=1: a presigned URL at the storage, valid for {DEFAULT_LINK_TTL} s.",
                {}, "text/plain", ("Location",),
            ),
            "304": response("Not modified.", headers=("ETag", "Accept-Ranges")),
        },
        (*_FETCH, p.PreconditionFailed, p.RangeNotSatisfiable),
        (ID_IN_PATH, flag("redirect", "1: redirect to the storage."), *CONDITIONS),
    ),
    Operation(
        "get_link", "get", "/files/{id}/link", "Fetch", "read",
        "A presigned URL of the file at the storage, which needs no API key.",
        {"200": response("The URL.", ref("Link"))},
        _FETCH,
        (ID_IN_PATH, number("expires", 1, MAX_LINK_TTL, "Seconds for which the URL is valid.", DEFAULT_LINK_TTL)),
    ),
    Operation(
        "fetch_archive", "get", "/files.zip", "Fetch", "read",
        f"Up to {MAX_ARCHIVE_FILES} files as one zip archive, selected by ids or by prefix.",
        {"200": response("The archive.", {}, "application/zip", ("Content-Disposition",))},
        _FETCH, (IDS_IN_QUERY, query("prefix", {"type": "string", "minLength": 1}, "The beginning of the names.")),
    ),
    Operation(
        "list_files", "get", "/files", "List and delete", "read",
        "A page of files, newest first by default.",
        {"200": response("The page.", ref("FileList"))}, (), PAGE,
    ),
    Operation(
        "delete_file", "delete", "/files/{id}", "List and delete", "delete", "Delete a file.",
        {"204": response("The file is deleted.")}, (p.NotFound,), (ID_IN_PATH,),
    ),
    Operation(
        "delete_files", "post", "/files/delete", "List and delete", "delete", f"Delete up to {MAX_IDS} files.",
        {"200": response("The deleted and the unknown ids.", ref("Deleted"))}, _JSON, body=IDS,
    ),
    Operation(
        "index", "get", "/", "Service", None, "A page with a form that uploads one file.",
        {"200": response("The page.", {"type": "string"}, "text/html")}, (p.DatabaseUnavailable,),
    ),
    Operation(
        "live", "get", "/healthz", "Service", None, "Whether the process serves requests.",
        {"200": response("It serves requests.", ref("Health"))},
    ),
    Operation(
        "ready", "get", "/healthz/ready", "Service", None, "Whether the process can accept files.",
        {"200": response("It can accept files.", ref("Readiness"))}, (p.DatabaseUnavailable,),
    ),
    Operation(
        "get_problem", "get", "/problems/{slug}", "Service", None, "The cause and the remedy of a problem.",
        {"200": response("Cause and remedy.", {"type": "string"}, "text/plain")}, (p.NotFound,), (SLUG_IN_PATH,),
    ),
    Operation(
        "get_openapi", "get", "/openapi.json", "Service", None, "This document.",
        {"200": response("OpenAPI 3.1.", {"type": "object"})},
    ),
    Operation(
        "get_docs", "get", "/docs", "Service", None, "The API reference as a page.",
        {"200": response("The page.", {"type": "string"}, "text/html")},
    ),
)  # fmt: skip
