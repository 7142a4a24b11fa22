"""The Structs describe the real answers and inputs: names, their order, types and nulls."""

from __future__ import annotations

import msgspec
import pytest
from flask.testing import FlaskClient
from msgspec import Struct

from api.openapi.schemas import shapes
from api.query_schemas import UploadForm
from api.schemas import Deleted, Event, File, FileList, Health, Ids, Link, Readiness, Statuses
from api.upload_request.fields import RECOGNIZED
from tests.api.downloads import store
from tests.harness.factories import pending_row

ANSWERS: dict[str, tuple[str, str, type[Struct]]] = {
    "a file": ("GET", "/files/{id}", File),
    "a file that is not COMPLETE": ("GET", "/files/{pending}", File),
    "a page": ("GET", "/files?limit=1", FileList),
    "the last page": ("GET", "/files", FileList),
    "statuses": ("POST", "/files/status", Statuses),
    "deleted files": ("POST", "/files/delete", Deleted),
    "a link": ("GET", "/files/{id}/link", Link),
    "liveness": ("GET", "/healthz", Health),
    "readiness": ("GET", "/healthz/ready", Readiness),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_has_exactly_the_fields_of_its_shape(client: FlaskClient, answer: str) -> None:
    method, path, shape = ANSWERS[answer]
    ids = {"id": store(client), "pending": pending_row().id}
    body = {"ids": [*ids.values(), "unknown"]} if method == "POST" else None
    response = client.open(path.format(**ids), method=method, json=body)

    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert msgspec.json.encode(msgspec.json.decode(response.data, type=shape)) + b"\n" == response.data


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_the_response_to_an_upload_is_a_file(client: FlaskClient, mode: str) -> None:
    response = client.put(f"/{mode}_upload/a", data=b"x")

    assert list(response.get_json()) == list(File.__struct_encode_fields__)
    assert msgspec.json.decode(response.data, type=File).mode == mode


def test_an_event_has_the_fields_of_its_shape(client: FlaskClient) -> None:
    text = client.get(f"/files/{store(client)}/events").text
    fields = dict(line.split(": ", 1) for line in text.strip().splitlines())

    assert tuple(fields) == Event.__struct_encode_fields__
    assert msgspec.json.decode(msgspec.convert(fields, Event).data, type=File).status == "COMPLETE"


def test_names_are_escaped(client: FlaskClient) -> None:
    """Clients that decode JSON in another charset than UTF-8 get the name too."""
    id = client.put("/normal_upload/é😀.txt", data=b"x").get_json()["id"]

    for path in (f"/files/{id}", "/files", f"/files/{id}/events"):
        assert rb'"name":"\u00e9\ud83d\ude00.txt"' in client.get(path).data


def test_a_list_is_a_component_of_files() -> None:
    assert shapes()["FileList"]["properties"]["files"]["items"] == {"$ref": "#/components/schemas/File"}


def test_only_the_body_of_ids_rejects_other_members() -> None:
    """Answers may have more members in a later version."""
    assert {name for name, schema in shapes().items() if "additionalProperties" in schema} == {Ids.__name__}


def test_the_documented_form_fields_are_those_that_are_read() -> None:
    assert set(UploadForm.__struct_encode_fields__) == {"file", *RECOGNIZED}
