"""The OpenAPI document and the HTML page generated from it."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import Blueprint, Flask, current_app, render_template, request

from api.openapi import curl, document
from api.openapi.components import response
from api.openapi.operations import Operation, operations
from api.openapi.problem_sets import AUTH, COMMON, ROUTING, UNSAFE
from api.openapi.schemas import Schema, shapes
from auth.guards import public
from problems import all_problems

api_docs = Blueprint("api_docs", __name__)

_COMMON = (
    ("Any request", COMMON),
    ("Requests that need a scope", AUTH),
    ("Requests with an unsafe method", UNSAFE),
    ("Any other path or method", ROUTING),
)


@api_docs.get("/openapi.json")
@Operation("get_openapi", "Service", "This document.", {200: response("OpenAPI 3.1.", {"type": "object"})})
@public
def openapi_json() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    return {**document(_app()), "servers": [{"url": request.script_root or "/"}]}


@api_docs.get("/docs")
@Operation(
    "get_docs", "Service", "The API reference as a page.",
    {200: response("The page.", {"type": "string"}, "text/html")},
)  # fmt: skip
@public
def docs() -> str:
    """The API reference as an HTML page."""
    return render_template(
        "docs.html",
        document=document(_app()),
        chapters=[(tag, list(group)) for tag, group in groupby(operations(_app()), lambda each: each.tag)],
        common=_COMMON,
        shapes=shapes(),
        fields=fields,
        schema_name=schema_name,
        curl=lambda each: curl(each, request.url_root.rstrip("/")),
        problems=sorted(all_problems().items()),
    )


def _app() -> Flask:
    """The app itself: its proxy is no key of a cache."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app


def schema_name(schema: Schema) -> str | None:
    """The name of the referenced schema; None for an inline schema."""
    return schema["$ref"].rpartition("/")[2] if "$ref" in schema else None


def fields(schema: Schema, prefix: str = "") -> list[tuple[str, str, str]]:
    """Name, type and description of each field of an object; nested objects have dotted names."""
    rows = []
    for name, field in schema["properties"].items():
        rows.append((prefix + name, _type(field), field.get("description", "")))
        if "properties" in field:
            rows += fields(field, f"{prefix}{name}.")
    return rows


def _type(field: Schema) -> str:
    if "$ref" in field:
        return str(schema_name(field))
    if "anyOf" in field:
        return " or ".join(_type(choice) for choice in field["anyOf"])
    if "enum" in field:
        return f"string: {', '.join(field['enum'])}"
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    return f"{field['type']} ({field['format']})" if "format" in field else str(field["type"])
