"""Query parameters become values, or errors that say what is expected."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from api.parameters import expires_in, parse_query
from api.query_schemas import ArchiveQuery, ContentQuery, EventsQuery, FileQuery, LinkQuery, ListQuery, Query
from problems import InvalidParameter

ID = "01a1f879-1306-720a-b077-d2a2b2fc6e4b"


def test_missing_parameters_have_their_defaults() -> None:
    assert parse_query({}, ListQuery).filters() == {
        "after": None, "newest_first": True, "status": None, "mode": None, "prefix": None, "created_after": None,
        "created_before": None,
    }  # fmt: skip
    assert (parse_query({}, ListQuery).limit, parse_query({}, LinkQuery).expires) == (20, 300)
    assert expires_in({}, 7) == 7
    assert expires_in({}, None) is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"cursor": ID}, {"after": ID}),
        ({"sort": "created"}, {"newest_first": False}),
        ({"status": "ERROR", "mode": "celery"}, {"status": "ERROR", "mode": "celery"}),
        ({"prefix": ""}, {"prefix": None}),
        ({"prefix": "e\u0301"}, {"prefix": "\u00e9"}),
        ({"created_after": "1970-01-01T01:00:01.5+01:00"}, {"created_after": 1.5}),
        ({"created_before": "1970-01-01T00:01Z"}, {"created_before": 60.0}),
        ({"created_after": "0001-01-01T00:00:00+23:59"}, {"created_after": -62135683140.0}),
    ],
)
def test_filters_are_converted(query: dict[str, str], expected: dict[str, Any]) -> None:
    filters = parse_query(query, ListQuery).filters()

    assert {name: filters[name] for name in expected} == expected


def test_ids_are_split_and_deduplicated() -> None:
    assert parse_query({"ids": "b,a,b,"}, ArchiveQuery).ids == ["b", "a", ""]


def test_a_parameter_may_have_another_name_than_its_field() -> None:
    assert parse_query({"lastEventId": "7"}, EventsQuery).last_event_id == "7"


@pytest.mark.parametrize(
    ("shape", "name", "values", "expected"),
    [
        (FileQuery, "wait", ["", "0", "61", "-1", "+5", " 5", "5.0", "1e1", "٥", "9" * 5000], "a number from 1 to 60"),
        (ContentQuery, "redirect", ["", "2", "true"], "one of 0, 1"),
        (ListQuery, "status", ["", "complete"], "one of PENDING, PROCESSING, COMPLETE, ERROR"),
        (ListQuery, "mode", ["", "Normal"], "one of async, celery, normal"),
        (ListQuery, "cursor", ["", "x", f"{ID}\n", ID[1:]], "the value of next of the previous page"),
        (
            ListQuery, "created_after", ["", "x", "1700000000", "2026-11-20", "2026-11-20T10:24:31", "9" * 5000],
            "a time such as 2026-11-20T10:24:31Z (RFC 3339)",
        ),
        (ListQuery, "prefix", ["a\0", "\n\0\n", "x" * 1021], "0 to 1020 characters other than NUL"),
        (ArchiveQuery, "prefix", ["", "\0", "x" * 1021], "1 to 1020 characters other than NUL"),
        (ArchiveQuery, "ids", [",".join(map(str, range(1001)))], "a list of 0 to 1000 strings"),
    ],
)  # fmt: skip
def test_an_invalid_value_is_refused(shape: type[Query], name: str, values: list[str], expected: str) -> None:
    for value in values:
        with pytest.raises(InvalidParameter) as raised:
            parse_query({name: value}, shape)

        assert (raised.value.detail, raised.value.fields) == (f"{name} must be {expected}.", {"parameter": name})


def test_an_aware_time_is_kept() -> None:
    assert parse_query({"created_after": "2026-11-20T10:24:31Z"}, ListQuery).created_after == datetime(
        2026, 11, 20, 10, 24, 31, tzinfo=UTC
    )
