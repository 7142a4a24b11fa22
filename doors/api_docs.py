"""The doors to what the API is: a document for machines, and the same for people."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import Blueprint, render_template, request

from doors.callers import open_to_all
from doors.openapi import curl, document
from doors.openapi.operations import ANYWHERE, CHANGING, ELSEWHERE, OPERATIONS, WITH_SCOPE
from problems import all_problems

api_docs = Blueprint("api_docs", __name__)

_COMMON = (
    ("Any request", ANYWHERE),
    ("One that needs a scope", WITH_SCOPE),
    ("One that changes something", CHANGING),
    ("Any other address or method", ELSEWHERE),
)


@api_docs.get("/openapi.json")
@open_to_all
def openapi_json() -> dict[str, Any]:
    """The API as OpenAPI 3.1."""
    return {**document(), "servers": [{"url": request.script_root or "/"}]}


@api_docs.get("/docs")
@open_to_all
def docs() -> str:
    """The API as a page."""
    return render_template(
        "docs.html",
        document=document(),
        chapters=[(tag, list(found)) for tag, found in groupby(OPERATIONS, lambda operation: operation.tag)],
        common=_COMMON,
        curl=lambda operation: curl(operation, request.url_root.rstrip("/")),
        problems=sorted(all_problems().items()),
    )
