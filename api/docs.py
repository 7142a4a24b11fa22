"""The OpenAPI document and the HTML page generated from it."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import Blueprint, render_template, request

from api.openapi import curl, document
from api.openapi.operations import AUTH, COMMON, OPERATIONS, ROUTING, UNSAFE
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
@public
def openapi_json() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    return {**document(), "servers": [{"url": request.script_root or "/"}]}


@api_docs.get("/docs")
@public
def docs() -> str:
    """The API reference as an HTML page."""
    return render_template(
        "docs.html",
        document=document(),
        chapters=[(tag, list(group)) for tag, group in groupby(OPERATIONS, lambda operation: operation.tag)],
        common=_COMMON,
        shapes=shapes(),
        fields=fields,
        schema_name=schema_name,
        curl=lambda operation: curl(operation, request.url_root.rstrip("/")),
        problems=sorted(all_problems().items()),
    )


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
    if "const" in field:
        return "string"
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    kinds = " or ".join([field["type"]] if isinstance(field["type"], str) else field["type"])
    choices = f": {', '.join(field['enum'])}" if "enum" in field else ""
    return f"{kinds} ({field['format']})" if "format" in field else kinds + choices
