"""HTML pages of the service: a file's own page, and the icon of all of them."""

from __future__ import annotations

import inspect

from flask import Flask, Response, make_response, render_template

from api.responses import rfc3339
from content.policy import INLINE_TYPES
from lifecycle.changes import has_ended
from models import File, UploadStatus
from problems import IncompleteBody, Problem, all_problems

_WORDS = {
    UploadStatus.PENDING: "Accepted. Its bytes are safe and wait to be stored.",
    UploadStatus.PROCESSING: "Being stored.",
    UploadStatus.COMPLETE: "Stored and verified.",
    UploadStatus.ERROR: "Failed.",
}
_REASONS: dict[str, type[Problem]] = {IncompleteBody().reason: IncompleteBody}
"""Values of a row's `error` that are not the slug of a problem."""


def file_page(row: File) -> Response:
    """The page of one file, which is never cached. Without JavaScript it reloads until the file has ended."""
    answer = make_response(
        render_template(
            "file.html",
            row=row,
            words=status_text(row),
            problem=_problem(row.error),
            has_ended=has_ended(row),
            is_complete=row.upload_status == UploadStatus.COMPLETE,
            is_shown_by_browsers=row.detected_type in INLINE_TYPES,
            rfc3339=rfc3339,
        )
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def status_text(row: File) -> str:
    """The status of a file for people, with the progress while there is any."""
    words = _WORDS[row.upload_status]
    if row.upload_status == UploadStatus.PENDING and row.error:
        return f"{words} The last attempt failed; the next one starts by itself."
    if row.upload_status == UploadStatus.PROCESSING and row.size:
        return f"{words} {row.stored_bytes * 100 // row.size} %"
    return words


def _problem(error: str | None) -> dict[str, str] | None:
    """What a row's `error` means: its title, and its cause and cure. `slug` leads to /problems/<slug>."""
    if error is None:
        return None
    kind = _REASONS.get(error) or all_problems().get(error, Problem)
    return {"slug": kind.slug(), "title": kind.title, "cause": inspect.cleandoc(kind.__doc__ or "")}


def init_app(app: Flask) -> None:
    """Serve the icon where browsers look for it unasked. It is the one in `static/`, an SVG."""
    app.add_url_rule("/favicon.ico", endpoint="static", defaults={"filename": "favicon.svg"})
