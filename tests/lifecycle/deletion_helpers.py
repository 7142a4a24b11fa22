"""Helpers of the tests of deletion and expiry."""

from __future__ import annotations

from typing import Any

from flask import current_app
from flask.testing import FlaskClient

from lifecycle import queries
from services import current_services
from sweep.report import Report
from sweep.rows import sweep_deleted
from tests.conftest import drain
from tests.fakes import FORM, form, part


def upload(client: FlaskClient, mode: str = "normal", query: str = "", headers: Any = None) -> str:
    """The path of a stored file."""
    data = form(part("file", b"1234", "a.txt"))
    answer = client.post(f"/{mode}_upload{query}", data=data, content_type=FORM, headers=headers)
    drain(client.application)
    return answer.headers["Location"]


def remaining() -> tuple[int, int, int]:
    """Number of objects, of spooled files and of rows, once the background removal has ended."""
    drain(current_app)
    rows = queries.deleted("", 99, -1e9)
    return (
        len(list(current_services().storage.list_objects())),
        len(list(current_services().spool.files())),
        len(queries.page(None, 99)) + len(rows),
    )


def sweep() -> Report:
    """The report of one sweep of deleted files, after the background removal has ended."""
    drain(current_app)
    report = Report()
    sweep_deleted(report)
    return report
