"""Operations: what a view declares of itself for the OpenAPI document, and the operations of an app."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from flask import Flask
from werkzeug.routing import Rule

from api.openapi.components import (
    PATH_PARAMETERS,
    UPLOAD_ANSWER,
    UPLOAD_BODY,
    UPLOAD_HEADERS,
    UPLOAD_REDIRECT,
    Component,
    query_parameters,
)
from api.openapi.problem_sets import Kinds
from api.query_schemas import Query, UploadQuery
from auth.guards import Scope

View = TypeVar("View", bound=Callable[..., Any])

TAGS = ("Upload", "Watch", "Fetch", "List and delete", "Service")
"""In the order of the HTML page."""


@dataclass(frozen=True)
class Operation:
    """What a view does, declared above its guard. `operations` adds method, path and scope.

    @files.get("/files/<id>")
    @Operation("get_file", "Watch", "The status of a file.", {200: response("The file.", File)}, (NotFound,))
    @requires_scope("read")
    def status(id): ...
    """

    id: str
    """The document prefixes it with `put_` for PUT, and appends `_named` if the path has the file's name."""
    tag: str
    summary: str
    answers: Mapping[int, Component]
    problems: Kinds = ()
    """In addition to COMMON, AUTH and UNSAFE."""
    query: type[Query] | None = None
    """The parameters. If the view needs a scope, others are rejected (api/query_names.py)."""
    headers: tuple[Component, ...] = ()
    body: Component | None = None
    scope: Scope | None = None
    method: str = ""
    path: str = ""

    def __call__(self, view: View) -> View:
        """Attach the operation to its view."""
        view.operation = replace(self, scope=view.access)  # type: ignore[attr-defined]
        return view

    @property
    def parameters(self) -> tuple[Component, ...]:
        """The parameters in path, query and headers."""
        in_path = (PATH_PARAMETERS[name] for name in re.findall(r"{(\w+)}", self.path))
        return (*in_path, *(query_parameters(self.query) if self.query else ()), *self.headers)


def upload_operation(id: str, summary: str, status: int, problems: Kinds) -> Operation:
    """The operation of an upload endpoint, which answers with `status`."""
    answers = {status: UPLOAD_ANSWER, 303: UPLOAD_REDIRECT}
    return Operation(id, "Upload", summary, answers, problems, UploadQuery, UPLOAD_HEADERS, UPLOAD_BODY)


def operation_of(view: Callable[..., Any] | None) -> Operation | None:
    """The operation of a view, without method and path; None for a view that the document does not list."""
    operation: Operation | None = getattr(view, "operation", None)
    return operation


def operations(app: Flask) -> list[Operation]:
    """The operations of an app's views, by tag and in the order of their registration."""
    views = list(app.view_functions)
    rules = sorted(app.url_map.iter_rules(), key=lambda rule: (views.index(rule.endpoint), rule.rule))
    declared = ((rule, operation_of(app.view_functions[rule.endpoint])) for rule in rules)
    found = [each for rule, operation in declared if operation for each in _of_rule(rule, operation)]
    return sorted(found, key=lambda each: TAGS.index(each.tag))


def _of_rule(rule: Rule, operation: Operation) -> Iterator[Operation]:
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
    for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
        id = f"{'put_' if method == 'PUT' else ''}{operation.id}{'_named' if 'name' in rule.arguments else ''}"
        yield replace(operation, id=id, method=method.lower(), path=path)
