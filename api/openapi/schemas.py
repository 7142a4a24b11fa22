"""JSON Schemas (2020-12), generated from the Structs of the API and from the classes of problems."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

import storage  # noqa: F401  registers its errors as problems
from api.problem_schemas import MEMBERS, ProblemDetails
from api.schemas import (
    EXAMPLES,
    Deleted,
    Event,
    File,
    FileList,
    Health,
    Ids,
    Link,
    Readiness,
    Statuses,
    Waiting,
)  # fmt: skip
from problems import Problem, all_problems

Schema = dict[str, Any]
Shape = type[Struct]

_SHAPES: tuple[Shape, ...] = (
    File, FileList, Statuses, Deleted, Link, Event, Health, Readiness, Waiting, Ids
)  # fmt: skip
"""The components. Types of fields that are not in this list are inlined."""

_REFS = "#/components/schemas/"


def ref(name: str) -> Schema:
    """A reference to a schema by name."""
    return {"$ref": f"{_REFS}{name}"}


@cache
def schemas() -> dict[str, Schema]:
    """All schemas by name; the name of a problem is its slug. Callers must not modify them."""
    return shapes() | {slug: _problem(slug, kind) for slug, kind in sorted(all_problems().items())}


@cache
def shapes() -> dict[str, Schema]:
    """The schemas other than problems, by name. Callers must not modify them."""
    generated = _generated(*_SHAPES)
    examples = {shape.__name__: {"examples": [msgspec.to_builtins(example)]} for shape, example in EXAMPLES.items()}
    return {name: generated[name] | examples.get(name, {}) for name in (shape.__name__ for shape in _SHAPES)}


@cache
def properties(shape: Shape) -> dict[str, Schema]:
    """The schema of each field of a query or form, which is never null. Callers must not modify them."""
    return {name: _without_null(field) for name, field in _generated(shape)[shape.__name__]["properties"].items()}


def _generated(*shapes: Shape) -> dict[str, Schema]:
    _, components = msgspec.json.schema_components(shapes, ref_template=f"{_REFS}{{name}}")
    inner = {name: schema for name, schema in components.items() if name not in {each.__name__ for each in _SHAPES}}
    inlined: dict[str, Schema] = _inline(components, inner)
    return inlined


def _inline(schema: Any, inner: dict[str, Schema]) -> Any:
    """`schema` with every reference to one of `inner` replaced by it."""
    if isinstance(schema, list):
        return [_inline(each, inner) for each in schema]
    if not isinstance(schema, dict):
        return schema
    target = inner.get(str(schema.get("$ref", "")).removeprefix(_REFS), {})
    merged = {name: value for name, value in (target | schema).items() if not (target and name in ("$ref", "title"))}
    return {name: _inline(value, inner) for name, value in merged.items()}


def _without_null(field: Schema) -> Schema:
    choices = [choice for choice in field.get("anyOf", []) if choice != {"type": "null"}]
    others = {name: value for name, value in field.items() if name != "anyOf" and (name, value) != ("default", None)}
    return (choices[0] if choices else {}) | others


@cache
def _details() -> Schema:
    return _generated(ProblemDetails)[ProblemDetails.__name__]


def _problem(slug: str, kind: type[Problem]) -> Schema:
    members = _details()["properties"]
    required = _details()["required"]
    known = {
        # Not const: behind a proxy with a path prefix, the prefix comes first.
        "type": members["type"] | {"pattern": f"/problems/{slug}$"},
        "title": {"const": kind.title},
        "status": {"const": kind.status},
    }
    names = (*required, "request_id", *MEMBERS.get(kind, ()))
    return {
        "type": "object",
        "title": kind.title,
        "description": inspect.cleandoc(kind.__doc__ or ""),
        "properties": {name: known.get(name, members[name]) for name in names},
        "required": required,
    }
