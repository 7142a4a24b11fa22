"""Raw bodies: any type is taken, and the name stands in the path, in the query or in Content-Disposition."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient

from api.upload_request.filename import declared_names, resolve_name
from lifecycle import queries
from problems import BadEncoding, InvalidParameter, MissingFilename, Problem
from tests.conftest import drain

MODES = ("normal", "async", "celery")


@pytest.mark.parametrize(
    ("path", "query", "disposition", "name"),
    [
        ("a.txt", "", "", "a.txt"),
        ("folder/a.txt", "", "", "a.txt"),
        ("/a.txt", "", "", "a.txt"),
        ("ä 日本.png", "", "", "ä 日本.png"),
        ("e\u0301", "\u00e9", "", "\u00e9"),
        ("a.txt", "a.txt", 'attachment; filename="a.txt"', "a.txt"),
        ("folder/a.txt", "a.txt", "", "a.txt"),
        (None, "a.txt", "", "a.txt"),
        (None, "=?UTF-8?B?w6Q=?=", "", "ä"),
        ("=?UTF-8?B?w6Q=?=", "", "", "=?UTF-8?B?w6Q=?="),
        (None, "", 'attachment; filename="a b.txt"', "a b.txt"),
        (None, "", "attachment; filename=a.txt", "a.txt"),
        (None, "", 'attachment; filename="\u00c3\u00a4"', "ä"),
        (None, "", "attachment; filename=b; filename*=UTF-8''%C3%A4.txt", "ä.txt"),
        (None, "", "attachment; filename*=ISO-8859-1''%E4.txt", "ä.txt"),
        (None, "a", "attachment", "a"),
        (None, "a", 'attachment; filename=""', "a"),
        (None, "", "", None),
        ("", "", "", None),
        (None, "", "attachment", None),
    ],
)
def test_the_name_is_read_from_the_path_the_query_or_a_header(
    path: str | None, query: str, disposition: str, name: str | None
) -> None:
    wsgi_path = f"/normal_upload/{path}".encode().decode("latin-1")

    assert resolve_name(declared_names(path, wsgi_path, query, disposition)) == name


@pytest.mark.parametrize(
    ("path", "raw", "query", "disposition", "problem"),
    [
        ("a", "/a", "b", "", InvalidParameter),
        ("a", "/a", "", "attachment; filename=b", InvalidParameter),
        (None, "/", "a", "attachment; filename=b", InvalidParameter),
        ("a", "/a", "A", "", InvalidParameter),
        ("\ufffd", "/\xff", "", "", BadEncoding),
        ("a\ufffd", "/a\xc0\xaf", "", "", BadEncoding),
        (None, "/", "", 'attachment; filename="\xff"', BadEncoding),
        (None, "/", "", "attachment; filename*=UTF-8''%FF", BadEncoding),
        (None, "/", "", "attachment; filename*=a.txt", BadEncoding),
        ("..", "/..", "", "", MissingFilename),
        ("a/..", "/a/..", "", "", MissingFilename),
        (".", "/.", "", "", MissingFilename),
        ("folder/", "/folder/", "", "", MissingFilename),
        ("\u202e", "/\xe2\x80\xae", "", "", MissingFilename),
    ],
)
def test_an_invalid_name_is_refused(
    path: str | None, raw: str, query: str, disposition: str, problem: type[Problem]
) -> None:
    with pytest.raises(problem):
        resolve_name(declared_names(path, raw, query, disposition))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize(
    ("content_type", "stored_type"),
    [
        (None, "application/octet-stream"),
        ("", "application/octet-stream"),
        ("application/json", "application/json"),
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        ("multipart/mixed; boundary=x", "multipart/mixed"),
        ("text/csv; charset=utf-8", "text/csv"),
    ],
)
def test_a_body_of_any_type_is_the_file(
    client: FlaskClient, mode: str, method: str, content_type: str | None, stored_type: str
) -> None:
    for address in (f"/{mode}_upload/a.json", f"/{mode}_upload?name=a.json"):
        answer = client.open(address, method=method, data=b'{"a": 1}', content_type=content_type)
        drain(client.application)
        file = client.get(answer.headers["Location"]).get_json()

        assert answer.status_code == (201 if mode == "normal" else 202)
        assert (file["name"], file["size"], file["content_type"]) == ("a.json", 8, stored_type)
        assert client.get(file["links"]["content"]).data == b'{"a": 1}'


@pytest.mark.parametrize("address", ["/normal_upload", "/normal_upload/", "/async_upload/", "/celery_upload?name="])
@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("content_type", [None, "application/json", "application/x-www-form-urlencoded", "image/png"])
def test_a_body_without_a_name_is_refused_with_the_ways_to_name_it(
    client: FlaskClient, address: str, method: str, content_type: str | None
) -> None:
    problem = client.open(address, method=method, data=b"x", content_type=content_type).get_json()

    assert problem["type"] == "/problems/missing-filename"
    for way in ("PUT /normal_upload/<name>", "?name=", "Content-Disposition", "multipart/form-data", "'file'"):
        assert way in problem["detail"]


def test_contradictory_names_are_refused_with_their_sources(client: FlaskClient) -> None:
    problem = client.put("/normal_upload/a?name=b", data=b"x").get_json()

    assert (problem["type"], problem["parameter"]) == ("/problems/invalid-parameter", "name")
    assert "the path" in problem["detail"]
    assert "?name=" in problem["detail"]


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_the_path_may_name_the_file_of_a_form(client: FlaskClient, method: str) -> None:
    for address, name in (("/normal_upload", "sent.txt"), ("/normal_upload/b.txt", "b.txt")):
        data = {"file": (io.BytesIO(b"x"), "sent.txt")}
        answer = client.open(address, method=method, data=data, content_type="multipart/form-data")

        assert (answer.status_code, answer.get_json()["name"]) == (201, name)


def test_put_creates_a_new_file_unless_its_idempotency_key_is_repeated(client: FlaskClient) -> None:
    ids = {client.put("/normal_upload/a", data=b"x").get_json()["id"] for _ in range(2)}
    key = {"Idempotency-Key": "k"}
    again = {client.put("/normal_upload/a", data=b"x", headers=key).get_json()["id"] for _ in range(2)}

    assert (len(ids), len(again)) == (2, 1)
    assert len(queries.page(None, 10)) == 3


@pytest.mark.parametrize("address", ["/normal_upload", "/async_upload/a.txt"])
def test_a_wrong_method_and_a_preflight_list_both_methods(client: FlaskClient, address: str) -> None:
    for answer in (client.get(address), client.options(address)):
        assert {"POST", "PUT"} <= set(answer.headers["Allow"].split(", "))


def test_another_site_can_not_put_a_file(client: FlaskClient) -> None:
    answer = client.put("/normal_upload/a", data=b"x", headers={"Origin": "https://evil.example"})

    assert (answer.status_code, queries.page(None, 1)) == (403, [])
