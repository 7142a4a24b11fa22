"""Bodies of JSON are taken as exactly what they should be, and whoever is wrong is told where."""

from __future__ import annotations

from typing import Any

import pytest

from doors.bodies import ids_in, pointer
from problems import InvalidBody


@pytest.mark.parametrize(
    ("ids", "expected"),
    [(["a"], ["a"]), (["b", "a"], ["b", "a"]), (["b", "a", "b"], ["b", "a"]), ([""], [""]),
     ([str(number) for number in range(100)], [str(number) for number in range(100)])],
)  # fmt: skip
def test_ids_come_once_each_in_their_order(ids: list[str], expected: list[str]) -> None:
    assert ids_in({"ids": ids}) == expected


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (None, ""), ([], ""), ("ids", ""), (1, ""), ([{"ids": ["a"]}], ""),
        ({}, "/ids"), ({"ids": None}, "/ids"), ({"ids": "a"}, "/ids"), ({"ids": {}}, "/ids"), ({"ids": []}, "/ids"),
        ({"ids": ["a"] * 101}, "/ids"), ({"ids": [1]}, "/ids/0"), ({"ids": ["a", None]}, "/ids/1"),
        ({"ids": ["a", ["b"]]}, "/ids/1"), ({"ids": ["a"], "a/b~c": 1}, "/a~1b~0c"), ({"ids": ["a"], "": 1}, "/"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_pointed_at(body: Any, where: str) -> None:
    with pytest.raises(InvalidBody) as raised:
        ids_in(body)

    assert raised.value.fields == {"pointer": where}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [((), ""), (("foo", 0), "/foo/0"), (("a/b",), "/a~1b"), (("m~n",), "/m~0n"), (("~1",), "/~01")],
)
def test_a_pointer_is_written_as_rfc_6901_says(steps: tuple[str | int, ...], expected: str) -> None:
    assert pointer(*steps) == expected
