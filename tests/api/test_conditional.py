"""Conditional requests: the order of conditions and the comparison of validators (RFC 9110 §13)."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import Headers

from api.conditional import if_range_matches, is_not_modified
from problems import PreconditionFailed

TAG = "0a1b"
MODIFIED = 784111777
THEN = "Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"
SAME, OTHER, WEAK = f'"{TAG}"', '"other"', f'W/"{TAG}"'

CASES: list[tuple[dict[str, str], int]] = [
    ({}, 200),
    ({"If-None-Match": SAME}, 304),
    ({"If-None-Match": WEAK}, 304),
    ({"If-None-Match": "*"}, 304),
    ({"If-None-Match": f"{OTHER}, {SAME}"}, 304),
    ({"If-None-Match": OTHER}, 200),
    ({"If-None-Match": ""}, 200),
    ({"If-Modified-Since": THEN}, 304),
    ({"If-Modified-Since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 304),
    ({"If-Modified-Since": AFTER}, 304),
    ({"If-Modified-Since": BEFORE}, 200),
    ({"If-Modified-Since": "yesterday"}, 200),
    ({"If-Modified-Since": "Mon, 01 Jan 99999999999 00:00:00 GMT"}, 200),
    ({"If-Modified-Since": "Mon, 01 Jan 2000 00:00:00 +99999999999999"}, 200),
    ({"If-Modified-Since": THEN + " " * 100}, 200),
    ({"If-Unmodified-Since": "Mon, 01 Jan 99999999999 00:00:00 GMT"}, 200),
    ({"If-None-Match": OTHER, "If-Modified-Since": AFTER}, 200),
    ({"If-None-Match": SAME, "If-Modified-Since": BEFORE}, 304),
    ({"If-Match": SAME}, 200),
    ({"If-Match": "*"}, 200),
    ({"If-Match": f"{OTHER}, {SAME}"}, 200),
    ({"If-Match": OTHER}, 412),
    ({"If-Match": WEAK}, 412),
    ({"If-Match": SAME, "If-None-Match": SAME}, 304),
    ({"If-Match": OTHER, "If-None-Match": SAME}, 412),
    ({"If-Unmodified-Since": THEN}, 200),
    ({"If-Unmodified-Since": AFTER}, 200),
    ({"If-Unmodified-Since": BEFORE}, 412),
    ({"If-Unmodified-Since": "tomorrow"}, 200),
    ({"If-Match": SAME, "If-Unmodified-Since": BEFORE}, 200),
    ({"If-Unmodified-Since": BEFORE, "If-None-Match": SAME}, 412),
]


@pytest.mark.parametrize(("headers", "status"), CASES)
def test_conditions_are_evaluated_in_rfc_order(headers: dict[str, str], status: int) -> None:
    if status == 412:
        with pytest.raises(PreconditionFailed):
            is_not_modified(Headers(headers), TAG, MODIFIED)
    else:
        assert is_not_modified(Headers(headers), TAG, MODIFIED) == (status == 304)


@pytest.mark.parametrize(
    ("if_range", "same"),
    [(None, True), (SAME, True), (f" {SAME} ", True), (THEN, True), (OTHER, False), (WEAK, False), (TAG, False),
     (BEFORE, False), (AFTER, False), ("Mon, 01 Jan 99999999999 00:00:00 GMT", False),
     ("*", False), ("", False), (f"{SAME}, {OTHER}", False)],
)  # fmt: skip
def test_if_range_matches_only_identical_bytes(if_range: str | None, same: bool) -> None:
    assert if_range_matches(if_range, TAG, MODIFIED) is same
