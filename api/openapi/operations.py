"""Operations: what a view declares of itself for the OpenAPI document, and the operations of an app."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
class Metadata:
    """What a view declares. Method and path are known from its route."""

    id: str
    """Of PUT and of a path with the file's name: with the prefix `put_`, with the suffix `_named`."""
    scope: Scope | None
    """The scope that the view's guard requires."""
    tag: str
    summary: str
    answers: Mapping[int, Component]
    problems: Kinds
    """In addition to COMMON, AUTH and UNSAFE."""
    query: type[Query] | None
    headers: tuple[Component, ...]
    body: Component | None


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    id: str
    method: str
    path: str
    scope: Scope | None
    tag: str
    summary: str
    answers: dict[str, Component]
    problems: Kinds
    parameters: tuple[Component, ...]
    body: Component | None


def operation(
    id: str,
    tag: str,
    summary: str,
    answers: Mapping[int, Component],
    problems: Kinds = (),
    *,
    query: type[Query] | None = None,
    headers: tuple[Component, ...] = (),
    body: Component | None = None,
) -> Callable[[View], View]:
    """Declare the operation of a view, above its guard. `query`: the only parameters that a view with a scope accepts.

    @files.get("/files/<id>")
    @operation("get_file", "Watch", "What has become of a file.", {200: response("The file.", File)}, (NotFound,))
    @requires_scope("read")
    def status(id): ...
    """

    def decorate(view: View) -> View:
        scope: Scope | None = view.access  # type: ignore[attr-defined]
        view.operation = Metadata(  # type: ignore[attr-defined]
            id, scope, tag, summary, answers, problems, query, headers, body
        )
        return view

    return decorate


def upload_operation(id: str, summary: str, status: int, problems: Kinds) -> Callable[[View], View]:
    """Declare the operation of an upload endpoint, which answers with `status`."""
    answers = {status: UPLOAD_ANSWER, 303: UPLOAD_REDIRECT}
    return operation(
        id, "Upload", summary, answers, problems, query=UploadQuery, headers=UPLOAD_HEADERS, body=UPLOAD_BODY
    )


def metadata_of(view: Callable[..., Any] | None) -> Metadata | None:
    """What a view declares; None for one that the document does not list."""
    metadata: Metadata | None = getattr(view, "operation", None)
    return metadata


def operations(app: Flask) -> list[Operation]:
    """The operations of an app's views, by tag and in the order of their registration."""
    views = list(app.view_functions)
    rules = sorted(app.url_map.iter_rules(), key=lambda rule: (views.index(rule.endpoint), rule.rule))
    found = [each for rule in rules for each in _of_rule(rule, app.view_functions[rule.endpoint])]
    return sorted(found, key=lambda each: TAGS.index(each.tag))


def _of_rule(rule: Rule, view: Callable[..., Any]) -> Iterator[Operation]:
    metadata = metadata_of(view)
    if metadata is None:
        return
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
    in_path = tuple(PATH_PARAMETERS[name] for name in sorted(rule.arguments))
    in_query = query_parameters(metadata.query) if metadata.query else ()
    for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
        yield Operation(
            id=f"{'put_' if method == 'PUT' else ''}{metadata.id}{'_named' if 'name' in rule.arguments else ''}",
            method=method.lower(),
            path=path,
            scope=metadata.scope,
            tag=metadata.tag,
            summary=metadata.summary,
            answers={str(status): answer for status, answer in metadata.answers.items()},
            problems=metadata.problems,
            parameters=(*in_path, *in_query, *metadata.headers),
            body=metadata.body,
        )
