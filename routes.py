"""Views: the three upload endpoints, files, the page, health, problems. Errors are raised as problems."""

from __future__ import annotations

import inspect

from flask import Blueprint, Response, g, render_template, request

import config
import file
from api.json_bodies import read_json
from api.limits import MAX_IDS
from api.lookup import get_file_or_404, get_files
from api.openapi.components import IDS, response
from api.openapi.operations import Operation, upload_operation
from api.openapi.problem_sets import JSON_BODY, SPOOL, STORE
from api.parameters import expires_in, parse_query
from api.query_schemas import ListQuery
from api.responses import file_shape, json_response, negotiate_upload_response, upload_response
from api.schemas import Deleted, File, FileList, Health, Ids, Readiness, Waiting
from api.upload_request import min_file_size, parse
from auth.guards import anonymous_allowed, public, requires_scope
from auth.transfer_slots import upload_slot
from database.engine import ping
from lifecycle import attempts, deletion, queries
from modes import ACCEPT
from modes import celery_ as celery_mode
from problems import BytesGone, DatabaseUnavailable, NotFailed, NotFound, QuotaExceeded, all_problems

routes = Blueprint("ferry", __name__)

_METHODS = ("POST", "PUT")
"""curl -T, wget --method=PUT and Dropzone's `method: 'put'` send PUT."""

_MODES = (
    ("normal", "Upload and wait", "Answers when the file is stored."),
    ("async", "Upload in the background", "Answers when its bytes are safe here. The service stores it then."),
    ("celery", "Upload to the queue", "Answers when its bytes are safe here. A Celery worker stores it."),
)
"""The modes on the page: name, button label, hint."""


@routes.get("/")
@Operation(
    "index", "Service", "A page with a form that uploads one file.",
    {200: response("The page.", {"type": "string"}, "text/html")}, (DatabaseUnavailable,),
)  # fmt: skip
@public
def index() -> str:
    """A page with a form that uploads one file."""
    settings = config.current()
    return render_template(
        "index.html",
        max_bytes=settings.max_file_size,
        allowed_types=settings.allowed_types,
        needs_key=not anonymous_allowed(),
        modes=_MODES,
    )


@routes.route("/normal_upload", methods=_METHODS)
@routes.route("/normal_upload/<any_path:name>", methods=_METHODS)
@upload_operation("normal_upload", "Store the file while it arrives; respond when it is stored.", 201, STORE)
@requires_scope("upload")
def normal_upload(name: str | None = None) -> Response:
    """Store the file as it arrives; respond when it is stored."""
    return _upload("normal", 201, name)


@routes.route("/async_upload", methods=_METHODS)
@routes.route("/async_upload/<any_path:name>", methods=_METHODS)
@upload_operation("async_upload", "Spool the file and respond; a thread stores it.", 202, SPOOL)
@requires_scope("upload")
def async_upload(name: str | None = None) -> Response:
    """Spool the file; a thread stores it after the response."""
    return _upload("async", 202, name)


@routes.route("/celery_upload", methods=_METHODS)
@routes.route("/celery_upload/<any_path:name>", methods=_METHODS)
@upload_operation("celery_upload", "Spool the file and respond; a Celery worker stores it.", 202, SPOOL)
@requires_scope("upload")
def celery_upload(name: str | None = None) -> Response:
    """Spool the file; a Celery worker stores it after the response."""
    return _upload("celery", 202, name)


@routes.post("/files/<id>/retry")
@Operation(
    "retry_file", "Upload", "Retry a file with status ERROR whose bytes are still spooled.",
    {202: response("The file, queued again.", File, headers=("Location",))},
    (NotFound, NotFailed, BytesGone, QuotaExceeded),
)  # fmt: skip
@requires_scope("upload")
def retry(id: str) -> Response:
    """Retry a file with status ERROR whose bytes are still in the spool."""
    return upload_response(attempts.retry(get_file_or_404(id)), 202)


@routes.get("/files")
@Operation(
    "list_files", "List and delete", "A page of files, newest first by default.",
    {200: response("The page.", FileList)}, query=ListQuery,
)  # fmt: skip
@requires_scope("read")
def files() -> Response:
    """A page of files, newest first by default. `next` is the cursor of the next page, null on the last."""
    query = parse_query(request.args, ListQuery)
    rows = queries.page(g.principal.owner, query.limit + 1, **query.filters())
    next = rows[query.limit - 1].id if len(rows) > query.limit else None
    return json_response(FileList([file_shape(row) for row in rows[: query.limit]], next))


@routes.delete("/files/<id>")
@Operation("delete_file", "List and delete", "Delete a file.", {204: response("The file is deleted.")}, (NotFound,))
@requires_scope("delete")
def delete(id: str) -> tuple[str, int]:
    """Delete a file."""
    if not deletion.delete(get_file_or_404(id)):
        raise NotFound
    return "", 204


@routes.post("/files/delete")
@Operation(
    "delete_files", "List and delete", f"Delete up to {MAX_IDS} files.",
    {200: response("The deleted and the unknown ids.", Deleted)}, JSON_BODY, body=IDS,
)  # fmt: skip
@requires_scope("delete")
def delete_many() -> Response:
    """Delete several files; report the ids that are unknown."""
    ids = read_json(request, Ids).unique()
    rows = get_files(ids)
    deleted = [id for id in ids if id in rows and deletion.delete(rows[id])]
    return json_response(Deleted(deleted, [id for id in ids if id not in deleted]))


@routes.get("/healthz")
@Operation("live", "Service", "Whether the process serves requests.", {200: response("It serves requests.", Health)})
@public
def healthz() -> Response:
    """Liveness: the process serves requests."""
    return json_response(Health("ok"))


@routes.get("/healthz/ready")
@Operation(
    "ready", "Service", "Whether the process can accept files.",
    {200: response("It can accept files.", Readiness)}, (DatabaseUnavailable,),
)  # fmt: skip
@public
def ready() -> Response:
    """Readiness: the database responds. Files that wait for a worker are reported, but do not make it fail."""
    ping()
    waiting, seconds = celery_mode.waiting()
    return json_response(Readiness("ready", Waiting(waiting, int(seconds))))


@routes.get("/problems/<slug>")
@Operation(
    "get_problem", "Service", "The cause and the remedy of a problem.",
    {200: response("Cause and remedy.", {"type": "string"}, "text/plain")}, (NotFound,),
)  # fmt: skip
@public
def problem_page(slug: str) -> Response:
    """The page at a problem's `type`: its cause and remedy."""
    kind = all_problems().get(slug)
    if kind is None:
        raise NotFound
    return Response(f"{kind.status} {kind.title}\n\n{inspect.cleandoc(kind.__doc__ or '')}\n", mimetype="text/plain")


def _upload(mode: file.Mode, status: int, name: str | None) -> Response:
    """Accept the file of this request. `name` is its name in the path. PUT creates a new file each time, like POST."""
    settings = config.current()
    ttl = expires_in(request.args, settings.default_ttl)
    idempotency_key = request.headers.get("Idempotency-Key")
    with upload_slot() as principal:
        if idempotency_key is None:  # A replayed request needs no quota.
            file.check_quota(principal, min_file_size(request))
        source = parse(request, settings.max_file_size, name)
        row, replayed = file.ingest(
            source, principal, mode, ACCEPT[mode],
            ttl=expires_in(source.options, ttl),
            idempotency_key=source.options.get("idempotency_key", idempotency_key),
        )  # fmt: skip
    response = negotiate_upload_response(row, status)
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response
