"""Unknown and repeated query parameters are rejected."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from lifecycle import queries
from tests.api.operations import OPERATIONS, Operation

GUARDED = [operation for operation in OPERATIONS if operation.scope]
OPEN = [operation for operation in OPERATIONS if not operation.scope]
UNKNOWN = "01a1f879-1306-720a-b077-d2a2b2fc6e4b"

PARAMETERS = {
    "get_file": ["wait"],
    "watch_file": ["lastEventId"],
    "fetch_file": ["redirect"],
    "get_link": ["expires"],
    "fetch_archive": ["ids", "prefix"],
    "list_files": ["limit", "cursor", "status", "mode", "prefix", "created_after", "created_before", "sort"],
    "retry_file": [],
    "get_statuses": [],
    "delete_file": [],
    "delete_files": [],
}
"""Query parameters by operation; those of uploads are UPLOAD_PARAMETERS."""

UPLOAD_PARAMETERS = ["name", "expires_in"]


def parameters(operation: Operation) -> list[str]:
    return UPLOAD_PARAMETERS if "_upload" in operation.id else PARAMETERS[operation.id]


def address(operation: Operation) -> str:
    return operation.path.format(id=UNKNOWN, slug="too-large", name="a")


@pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.id)
def test_a_parameter_that_an_operation_does_not_have_is_refused(client: FlaskClient, operation: Operation) -> None:
    answer = client.open(f"{address(operation)}?expire=60", method=operation.method.upper(), data=b"x")
    names = ", ".join(parameters(operation)) or "none"

    assert (answer.status_code, answer.get_json()["parameter"]) == (400, "expire")
    assert answer.get_json()["detail"] == f"Unknown parameter 'expire': this operation takes {names}."
    assert queries.page(None, 1) == []


@pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.id)
def test_a_repeated_parameter_is_refused(client: FlaskClient, operation: Operation) -> None:
    for name in parameters(operation):
        answer = client.open(f"{address(operation)}?{name}=1&{name}=1", method=operation.method.upper(), data=b"x")

        assert answer.get_json()["detail"] == f"{name} is given more than once."


@pytest.mark.parametrize("operation", OPEN, ids=lambda operation: operation.id)
def test_pages_and_health_accept_any_parameter(client: FlaskClient, operation: Operation) -> None:
    answer = client.get(f"{address(operation)}?utm_source=mail&utm_source=mail")

    assert answer.status_code == 200


def test_head_has_the_parameters_of_get_and_options_accepts_any(client: FlaskClient) -> None:
    assert client.head(f"/files/{UNKNOWN}/content?redirect=1").status_code == 404
    assert client.head(f"/files/{UNKNOWN}/content?redirct=1").status_code == 400
    assert client.options("/files?x=1").status_code == 200


@pytest.mark.parametrize("query", ["x", "=", "=x", "%00=1", "NAME=a", "name[]=a", "x" * 3000, "a=1&" * 900])
def test_odd_queries_are_refused_with_a_problem(client: FlaskClient, query: str) -> None:
    problem = client.put(f"/normal_upload/a?{query}", data=b"x").get_json()

    assert problem["type"] == "/problems/invalid-parameter"
    assert len(problem["detail"]) < 200


@pytest.mark.parametrize("name", ["chunk", "chunks", "dzchunkindex", "resumableTotalChunks", "X-Chunk-Index"])
def test_a_chunk_count_in_the_query_is_a_chunked_upload(client: FlaskClient, name: str) -> None:
    problem = client.put(f"/normal_upload/a?{name}=1", data=b"x").get_json()

    assert problem["type"] == "/problems/chunked-upload"
    assert client.get(f"/files?{name}=1").get_json()["type"] == "/problems/invalid-parameter"


def test_an_event_source_polyfill_may_send_its_last_event_in_the_query(client: FlaskClient) -> None:
    file = client.put("/normal_upload/a", data=b"x").get_json()
    tag = client.get(f"/files/{file['id']}").headers["ETag"].strip('"')

    assert client.get(f"/files/{file['id']}/events?lastEventId={tag}").status_code == 204
    assert client.get(f"/files/{file['id']}/events?lastEventId=other").status_code == 200
