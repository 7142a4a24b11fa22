"""JSON bodies are validated strictly, and a slot is acquired before they are read."""

from __future__ import annotations

import io
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask

from api.json_bodies import parse_body, pointer
from api.schemas import Ids
from problems import InvalidBody, TooManyUploads
from services import current_services
from tests.fakes import FORM


@pytest.mark.parametrize(
    ("ids", "expected"),
    [(["a"], ["a"]), (["b", "a"], ["b", "a"]), (["b", "a", "b"], ["b", "a"]), ([""], [""]),
     ([str(number) for number in range(100)], [str(number) for number in range(100)])],
)  # fmt: skip
def test_ids_are_deduplicated_in_order(ids: list[str], expected: list[str]) -> None:
    assert parse_body({"ids": ids}, Ids).unique() == expected


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (None, ""), ([], ""), ("ids", ""), (1, ""), ([{"ids": ["a"]}], ""),
        ({}, "/ids"), ({"ids": None}, "/ids"), ({"ids": "a"}, "/ids"), ({"ids": {}}, "/ids"), ({"ids": []}, "/ids"),
        ({"ids": ["a"] * 101}, "/ids"), ({"ids": [1]}, "/ids/0"), ({"ids": ["a", None]}, "/ids/1"),
        ({"ids": ["a", ["b"]]}, "/ids/1"), ({"ids": ["a"], "a/b~c": 1}, "/a~1b~0c"), ({"ids": ["a"], "": 1}, "/"),
    ],
)  # fmt: skip
def test_an_invalid_member_is_located_by_a_json_pointer(body: Any, where: str) -> None:
    with pytest.raises(InvalidBody) as raised:
        parse_body(body, Ids)

    assert raised.value.fields == {"pointer": where}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [((), ""), (("foo", 0), "/foo/0"), (("a/b",), "/a~1b"), (("m~n",), "/m~0n"), (("~1",), "/~01")],
)
def test_a_pointer_is_escaped_as_in_rfc_6901(steps: tuple[str | int, ...], expected: str) -> None:
    assert pointer(*steps) == expected


class Unread(io.RawIOBase):
    """A body that must not be read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise AssertionError("a byte of the body was read without a slot")


def operations(app: Flask) -> list[tuple[str, str]]:
    """Every method and path, with or without a body."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"]
    return [(method, rule.rule.replace("<id>", "x")) for rule in rules for method in sorted(rule.methods or ())]


@pytest.mark.parametrize("content_type", ["application/json", "application/octet-stream", FORM, "text/plain"])
def test_no_byte_of_a_body_is_read_without_a_slot(app: Flask, content_type: str) -> None:
    client, answers, most = app.test_client(), {}, app.config["FERRY"].max_transfers
    with ExitStack() as slots:
        for _ in range(most):
            slots.enter_context(current_services().transfers.acquire("127.0.0.1", most, TooManyUploads()))
        for method, path in operations(app):
            answer = client.open(
                f"{path}?name=a" if "_upload" in path else path,
                method=method,
                content_type=content_type,
                environ_overrides={"wsgi.input": io.BufferedReader(Unread()), "CONTENT_LENGTH": "60000"},
            )
            answers[method, path] = answer.status_code

    assert all(status < 500 for status in answers.values()), answers
    assert answers["POST", "/async_upload"] == 429
    if content_type == "application/json":
        assert answers["POST", "/files/status"] == answers["POST", "/files/delete"] == 429


def test_the_slot_of_a_json_body_is_released(app: Flask) -> None:
    for _ in range(2 * app.config["FERRY"].max_transfers):
        assert app.test_client().post("/files/status", json={"ids": ["x"]}).status_code == 200
        assert app.test_client().post("/files/status", json=["x"]).status_code == 422
