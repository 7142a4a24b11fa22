"""Views: the three upload endpoints, files, the page, health, problems. Errors are raised as problems."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, g, render_template, request

import config
import file
from api.json_bodies import parse_ids, read_json
from api.lookup import get_file_or_404, get_files
from api.parameters import expires_in, parse_page
from api.responses import negotiate_upload_response, serialize, upload_response
from api.upload_request import min_file_size, parse
from auth.authenticator import Principal
from auth.guards import anonymous_allowed, public, requires_scope
from auth.transfer_slots import upload_slot
from content.policy import check_allowed
from database.engine import ping
from lifecycle import attempts, deletion, idempotency, queries
from modes import UPLOADS
from modes import celery_ as celery_mode
from problems import NotFound, all_problems
from quotas import storage_quota

routes = Blueprint("ferry", __name__)

_METHODS = ("POST", "PUT")
"""curl -T, wget --method=PUT and Dropzone's `method: 'put'` send PUT."""

_MODES = (
    ("normal", "Upload and wait", "Answers when the file is stored."),
    ("async", "Upload in the background", "Answers when its bytes are safe here. The service stores it then."),
    ("celery", "Upload to the queue", "Answers when its bytes are safe here. A Celery worker stores it."),
)
"""The modes on the page: name, button label, hint."""

Json = tuple[dict[str, Any], int, dict[str, str]]


@routes.get("/")
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
@requires_scope("upload")
def normal_upload(name: str | None = None) -> Response:
    """Store the file as it arrives; respond when it is stored."""
    return _upload("normal", 201, name)


@routes.route("/async_upload", methods=_METHODS)
@routes.route("/async_upload/<any_path:name>", methods=_METHODS)
@requires_scope("upload")
def async_upload(name: str | None = None) -> Response:
    """Spool the file; a thread stores it after the response."""
    return _upload("async", 202, name)


@routes.route("/celery_upload", methods=_METHODS)
@routes.route("/celery_upload/<any_path:name>", methods=_METHODS)
@requires_scope("upload")
def celery_upload(name: str | None = None) -> Response:
    """Spool the file; a Celery worker stores it after the response."""
    return _upload("celery", 202, name)


@routes.post("/files/<id>/retry")
@requires_scope("upload")
def retry(id: str) -> Json:
    """Retry a file with status ERROR whose bytes are still in the spool."""
    row = get_file_or_404(id)
    attempts.retry(row)
    return upload_response(row, 202)


@routes.delete("/files/<id>")
@requires_scope("delete")
def delete(id: str) -> tuple[str, int]:
    """Delete a file."""
    if not deletion.delete(get_file_or_404(id)):
        raise NotFound
    return "", 204


@routes.post("/files/delete")
@requires_scope("delete")
def delete_many() -> dict[str, list[str]]:
    """Delete several files; report the ids that are unknown."""
    ids = parse_ids(read_json(request))
    rows = get_files(ids)
    deleted = [id for id in ids if id in rows and deletion.delete(rows[id])]
    return {"deleted": deleted, "unknown": [id for id in ids if id not in deleted]}


@routes.get("/files")
@requires_scope("read")
def files() -> dict[str, Any]:
    """A page of files, newest first by default. `next` is the cursor of the next page, null on the last."""
    limit, filters = parse_page(request.args)
    rows = queries.page(g.principal.owner, limit + 1, **filters)
    has_next = len(rows) > limit
    return {"files": [serialize(row) for row in rows[:limit]], "next": rows[limit - 1].id if has_next else None}


@routes.get("/healthz")
@public
def healthz() -> dict[str, str]:
    """Liveness: the process serves requests."""
    return {"status": "ok"}


@routes.get("/healthz/ready")
@public
def ready() -> dict[str, Any]:
    """Readiness: the database responds. Files that wait for a worker are reported, but do not make it fail."""
    ping()
    waiting, seconds = celery_mode.waiting()
    return {"status": "ready", "celery": {"waiting": waiting, "oldest_seconds": int(seconds)}}


@routes.get("/problems/<slug>")
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
        if idempotency_key is None:
            _check_quota(principal)
        incoming = replace(parse(request, settings.max_file_size, name), client=principal.name)
        ttl = expires_in(incoming.options, ttl)
        idempotency_key = incoming.options.get("idempotency_key", idempotency_key)
        check_allowed(incoming.detected_type, incoming.content_type, settings.allowed_types, settings.denied_types)
        row = file.new_file(
            incoming.name, incoming.content_type, mode,
            detected_type=incoming.detected_type, owner=principal.owner, expires_in=ttl,
        )  # fmt: skip
        with idempotency.idempotent(idempotency_key, row) as existing:
            if existing is None:
                if idempotency_key is not None:  # Only now: a replayed request needs no quota.
                    _check_quota(principal)
                UPLOADS[mode](row, incoming)
                return negotiate_upload_response(row, status)
            replayed = idempotency.require_same_request(existing, row, incoming.stream)
    response = negotiate_upload_response(replayed, status)
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _check_quota(principal: Principal) -> None:
    """Raise QuotaExceeded if the announced file exceeds the quota. Nothing is reserved yet."""
    api_key = principal.key
    if api_key and api_key.quota_bytes is not None and (quota := storage_quota.unreserved_allowance(api_key.owner)):
        quota.check(min_file_size(request))
