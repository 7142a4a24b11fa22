"""The doors: what the service answers over HTTP. Each parses, calls and answers; failures answer by themselves."""

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
from modes import celery as celery_mode
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
"""The modes as the page offers them: name, button, what the button does."""

Answer = tuple[dict[str, Any], int, dict[str, str]]


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
    """Store the file while it arrives; answer when it is stored."""
    return _upload("normal", 201, name)


@routes.route("/async_upload", methods=_METHODS)
@routes.route("/async_upload/<any_path:name>", methods=_METHODS)
@requires_scope("upload")
def async_upload(name: str | None = None) -> Response:
    """Keep the file; answer; a thread stores it."""
    return _upload("async", 202, name)


@routes.route("/celery_upload", methods=_METHODS)
@routes.route("/celery_upload/<any_path:name>", methods=_METHODS)
@requires_scope("upload")
def celery_upload(name: str | None = None) -> Response:
    """Keep the file; answer; a Celery worker stores it."""
    return _upload("celery", 202, name)


@routes.post("/files/<id>/retry")
@requires_scope("upload")
def retry(id: str) -> Answer:
    """Try a file once more that ended as ERROR, if its bytes are still kept."""
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
    """Delete several files; say which of the ids were of none."""
    ids = parse_ids(read_json(request))
    rows = get_files(ids)
    deleted = [id for id in ids if id in rows and deletion.delete(rows[id])]
    return {"deleted": deleted, "unknown": [id for id in ids if id not in deleted]}


@routes.get("/files")
@requires_scope("read")
def files() -> dict[str, Any]:
    """A page of files, newest first unless asked otherwise. `next` continues it, and is null at the end."""
    limit, which = parse_page(request.args)
    rows = queries.page(g.principal.owner, limit + 1, **which)
    more = len(rows) > limit
    return {"files": [serialize(row) for row in rows[:limit]], "next": rows[limit - 1].id if more else None}


@routes.get("/healthz")
@public
def healthz() -> dict[str, str]:
    """The process serves requests."""
    return {"status": "ok"}


@routes.get("/healthz/ready")
@public
def ready() -> dict[str, Any]:
    """The process can accept files: the database answers. What waits for a worker is named, and refuses nothing."""
    ping()
    waiting, seconds = celery_mode.waiting()
    return {"status": "ready", "celery": {"waiting": waiting, "oldest_seconds": int(seconds)}}


@routes.get("/problems/<slug>")
@public
def problem_page(slug: str) -> Response:
    """What a problem's `type` leads to: its cause and its cure."""
    kind = all_problems().get(slug)
    if kind is None:
        raise NotFound
    return Response(f"{kind.status} {kind.title}\n\n{inspect.cleandoc(kind.__doc__ or '')}\n", mimetype="text/plain")


def _upload(mode: file.Mode, status: int, name: str | None) -> Response:
    """Accept the file of this request. `name` is its name in the path; PUT makes a new file each time, as POST does."""
    settings = config.current()
    ttl = expires_in(request.args, settings.default_ttl)
    key = request.headers.get("Idempotency-Key")
    with upload_slot() as caller:
        if key is None:
            _check_quota(caller)
        sent = replace(parse(request, settings.max_file_size, name), client=caller.name)
        ttl = expires_in(sent.settings, ttl)
        key = sent.settings.get("idempotency_key", key)
        check_allowed(sent.detected_type, sent.content_type, settings.allowed_types, settings.denied_types)
        row = file.new_file(
            sent.name, sent.content_type, mode,
            detected_type=sent.detected_type, owner=caller.owner, expires_in=ttl,
        )  # fmt: skip
        with idempotency.idempotent(key, row) as before:
            if before is None:
                if key is not None:  # One that comes again takes no more of the quota, and got as far as here.
                    _check_quota(caller)
                UPLOADS[mode](row, sent)
                return negotiate_upload_response(row, status)
            answer = negotiate_upload_response(idempotency.require_same_request(before, row, sent.stream), status)
    answer.headers["Idempotency-Replayed"] = "true"
    return answer


def _check_quota(caller: Principal) -> None:
    """Raises QuotaExceeded where what is announced can't fit. What does is only reserved later."""
    if caller.key and caller.key.quota_bytes is not None and (room := storage_quota.remaining(caller.key.owner)):
        room.check(min_file_size(request))
