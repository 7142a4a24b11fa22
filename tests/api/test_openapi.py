"""The OpenAPI document matches the code: views, scopes, bounds, schemas and problems."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import validate as validate_schema
from markupsafe import escape
from openapi_spec_validator import validate

from api.docs import fields
from api.openapi import document, operation_problems
from api.openapi.problem_sets import ROUTING
from api.openapi.schemas import Schema, shapes
from api.problem_schemas import MEMBERS
from dev.parts import ROOT
from problems import all_problems
from tests.api.operations import OPERATIONS, Operation
from tests.test_layers import files

ONLY_IN_ROWS = {"attempts-exhausted", "bytes-damaged", "bytes-lost", "relay-lost", "server-stopped"}
"""Errors that occur after the response, and appear only in the `error` of a file."""


def views(app: Flask) -> dict[tuple[str, str], Any]:
    """Every view of the app, by method and path as OpenAPI writes it."""
    return {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)): app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def bounds() -> Iterator[tuple[Operation, str, str]]:
    """Values just inside (`ok`) and just outside the documented bounds of each number and enum."""
    for operation in OPERATIONS:
        for parameter in operation.parameters:
            schema = parameter["schema"]
            if "maximum" in schema:
                inside, outside = [schema["minimum"], schema["maximum"]], [schema["minimum"] - 1, schema["maximum"] + 1]
            elif "enum" in schema:
                inside, outside = schema["enum"], ["other"]
            else:
                continue
            yield from ((operation, f"{parameter['name']}={value}", "ok") for value in inside)
            yield from ((operation, f"{parameter['name']}={value}", "refused") for value in outside)


@pytest.fixture
def file(client: FlaskClient) -> dict[str, Any]:
    return client.post("/normal_upload?name=a", data=b"abc", content_type="text/plain").get_json()  # type: ignore[no-any-return]


def test_it_is_openapi_3_1(app: Flask, client: FlaskClient) -> None:
    answer = client.get("/openapi.json").get_json()

    validate(answer)
    assert answer["openapi"].startswith("3.1.")
    assert answer["paths"] == document(app)["paths"]


def test_every_response_requires_a_request_id(app: Flask) -> None:
    """Malformed requests included: tests/bad_input/test_bad_requests.py checks their responses."""
    responses = [
        response
        for operations in document(app)["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
    ]

    assert document(app)["components"]["headers"]["X-Request-ID"]["required"] is True
    assert all("X-Request-ID" in response["headers"] for response in responses)


def test_it_has_the_version_of_the_package(app: Flask) -> None:
    assert f'version = "{document(app)["info"]["version"]}"' in (ROOT / "pyproject.toml").read_text()


def test_every_view_is_an_operation(app: Flask) -> None:
    assert {(operation.method, operation.path) for operation in OPERATIONS} == set(views(app))


def test_ids_of_operations_are_unique() -> None:
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_an_operation_matches_its_view(app: Flask, operation: Operation) -> None:
    view = views(app)[operation.method, operation.path]
    shown = document(app)["paths"][operation.path][operation.method]
    in_path = {parameter["name"] for parameter in operation.parameters if parameter["in"] == "path"}
    taken = inspect.signature(view).parameters
    required = {name for name, parameter in taken.items() if parameter.default is inspect.Parameter.empty}

    assert shown["security"] == ([{"key": [view.access]}, {}] if view.access else [])
    assert required <= in_path <= set(taken)


@pytest.mark.parametrize(
    ("operation", "query", "expected"), list(bounds()), ids=lambda value: getattr(value, "id", value)
)
def test_a_value_is_accepted_only_within_its_bounds(
    client: FlaskClient, file: dict[str, Any], operation: Operation, query: str, expected: str
) -> None:
    body = {"data": b"abc", "content_type": "text/plain"} if operation.body else {}
    address = f"{operation.path.format(**file)}?{query}{'&name=a' if body else ''}"
    answer = client.open(address, method=operation.method.upper(), **body)

    assert (answer.status_code == 400) == (expected == "refused"), answer.text
    answer.close()


def test_the_document_has_the_documented_limits(app: Flask) -> None:
    parameters = {
        (operation.id, parameter["name"]): parameter["schema"]
        for operation in OPERATIONS
        for parameter in operation.parameters
    }

    assert parameters["get_file", "wait"]["maximum"] == 60
    assert (parameters["get_link", "expires"]["maximum"], parameters["get_link", "expires"]["default"]) == (900, 300)
    assert (parameters["list_files", "limit"]["maximum"], parameters["list_files", "limit"]["default"]) == (100, 20)
    assert parameters["fetch_archive", "ids"]["maxItems"] == 1000
    assert document(app)["components"]["schemas"]["Ids"]["properties"]["ids"]["maxItems"] == 100


def test_a_list_of_ids_has_the_bounds_of_the_document(app: Flask, client: FlaskClient) -> None:
    schema = document(app)["components"]["schemas"]["Ids"]["properties"]["ids"]

    for number, status in (
        (0, 422),
        (schema["minItems"], 200),
        (schema["maxItems"], 200),
        (schema["maxItems"] + 1, 422),
    ):
        assert client.post("/files/status", json={"ids": ["x"] * number}).status_code == status


def test_a_file_matches_its_schema(app: Flask, file: dict[str, Any]) -> None:
    schema = document(app)["components"]["schemas"]["File"]

    assert list(schema["properties"]) == list(file)
    assert list(schema["properties"]["links"]["properties"]) == list(file["links"])


def test_the_example_of_a_file_is_valid(app: Flask) -> None:
    schema = document(app)["components"]["schemas"]["File"]

    [example] = schema["examples"]
    validate_schema(example, schema)
    assert list(example) == list(schema["properties"])


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "string"),
        ({"enum": ["a", "b"]}, "string: a, b"),
        ({"type": "string", "format": "date-time"}, "string (date-time)"),
        ({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}, "integer or null"),
        ({"type": "array", "items": {"type": "string"}}, "list of string"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/File"}}, "list of File"),
        ({"$ref": "#/components/schemas/Waiting"}, "Waiting"),
    ],
)
def test_the_type_of_a_field_is_described(schema: Schema, expected: str) -> None:
    assert fields({"properties": {"a": schema}}) == [("a", expected, "")]


def test_nested_fields_have_dotted_names() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "string"}}}

    assert [name for name, _, _ in fields({"properties": {"a": inner}})] == ["a", "a.b"]


def test_every_returned_problem_is_listed_by_an_operation(app: Flask) -> None:
    named = {kind.slug() for operation in OPERATIONS for kind in (*operation_problems(operation), *ROUTING)}

    assert set(all_problems()) - named == ONLY_IN_ROWS
    assert set(all_problems()) <= set(document(app)["components"]["schemas"])


def test_the_members_of_a_problem_are_documented() -> None:
    kinds = {kind.__name__: kind for kind in all_problems().values()}
    given: dict[str, set[str]] = {}
    for path in files():
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id in kinds:
                kind = kinds[call.func.id]
                own = {keyword.arg or "" for keyword in call.keywords} - set(inspect.signature(kind).parameters)
                given.setdefault(kind.slug(), set()).update(own)

    assert {slug: members for slug, members in given.items() if members} == {
        kind.slug(): set(names) for kind, names in MEMBERS.items()
    }


class TestPage:
    def test_it_shows_every_operation_and_every_problem(self, client: FlaskClient) -> None:
        page = client.get("/docs").text

        for operation in OPERATIONS:
            assert f'<section id="{operation.id}">' in page
        for slug in all_problems():
            assert f'id="problem-{slug}"' in page

    def test_it_shows_every_response_field_with_its_meaning(self, client: FlaskClient) -> None:
        page = client.get("/docs").text

        for name, schema in shapes().items():
            assert f'<section id="fields-{name}">' in page
            for field, kind, meaning in fields(schema):
                row = f"<tr><td><code>{field}</code></td><td>{kind}</td><td>{escape(meaning)}</td></tr>"
                assert row in page
                assert meaning, field

    def test_its_links_resolve(self, client: FlaskClient) -> None:
        found: dict[str, set[str]] = {"href": set(), "id": set()}
        parser = HTMLParser()
        parser.handle_starttag = lambda _, attributes: [  # type: ignore[method-assign, assignment]
            found[name].add(value or "") for name, value in attributes if name in found
        ]
        parser.feed(client.get("/docs").text)

        assert {link[1:] for link in found["href"] if link.startswith("#")} <= found["id"]
        for link in (link for link in found["href"] if not link.startswith("#")):
            answer = client.get(link)
            answer.close()
            assert answer.status_code == 200, link

    def test_it_has_no_scripts_and_no_foreign_styles(self, client: FlaskClient) -> None:
        answer = client.get("/docs")

        assert "style-src 'self'" in answer.headers["Content-Security-Policy"]
        assert re.findall(r"<style|\sstyle=|<script|\son\w+=|javascript:|(?:src|href)=\"https?:", answer.text) == []
