"""HTML: the page of a file, and the icon of all pages."""

from __future__ import annotations

import inspect

from flask import Flask, Response, make_response, render_template

from content.policy import INLINE_TYPES
from lifecycle.changes import has_ended
from logs import rfc3339
from models import FileRow, UploadStatus
from problems import IncompleteBody, Problem, all_problems

_STATUS_TEXTS = {
    UploadStatus.PENDING: "Accepted. Its bytes are safe and wait to be stored.",
    UploadStatus.PROCESSING: "Being stored.",
    UploadStatus.COMPLETE: "Stored and verified.",
    UploadStatus.ERROR: "Failed.",
}
_REASONS: dict[str, type[Problem]] = {IncompleteBody().reason: IncompleteBody}
"""Problems whose `reason` in a row's `error` differs from their slug."""


def file_page(row: FileRow) -> Response:
    """The page of one file, never cached. Without JavaScript it reloads until the file has ended."""
    response = make_response(
        render_template(
            "file.html",
            row=row,
            status_text=status_text(row),
            problem=_problem(row.error),
            has_ended=has_ended(row),
            is_complete=row.upload_status == UploadStatus.COMPLETE,
            is_shown_by_browsers=row.detected_type in INLINE_TYPES,
            rfc3339=rfc3339,
        )
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def status_text(row: FileRow) -> str:
    """The status of a file as a sentence, with its progress."""
    text = _STATUS_TEXTS[row.upload_status]
    if row.upload_status == UploadStatus.PENDING and row.error:
        return f"{text} The last attempt failed and will be retried automatically."
    if row.upload_status == UploadStatus.PROCESSING and row.size:
        return f"{text} {row.stored_bytes * 100 // row.size} %"
    return text


def _problem(error: str | None) -> dict[str, str] | None:
    """Title and explanation of a row's `error`. `slug` is for /problems/<slug>."""
    if error is None:
        return None
    kind = _REASONS.get(error) or all_problems().get(error, Problem)
    return {"slug": kind.slug(), "title": kind.title, "cause": inspect.cleandoc(kind.__doc__ or "")}


def init_app(app: Flask) -> None:
    """Serve `static/favicon.svg` at the path that browsers request by default."""
    app.add_url_rule("/favicon.ico", endpoint="static", defaults={"filename": "favicon.svg"})
