"""The Range header is parsed as in RFC 9110 §14."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ranges import parse_range
from problems import RangeNotSatisfiable


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        ("bytes=0-9", 1024, (0, 10)),
        ("bytes=-5", 1024, (1019, 1024)),
        ("bytes=1020-", 1024, (1020, 1024)),
        ("bytes=0-0", 1, (0, 1)),
        ("bytes=0-", 1024, (0, 1024)),
        ("bytes=5-4000", 1024, (5, 1024)),
        ("bytes=-4000", 1024, (0, 1024)),
        ("BYTES= 1-2 ", 1024, (1, 3)),
        ("bytes=007-0008", 1024, (7, 9)),
        ("bytes=0-" + "9" * 5000, 1024, (0, 1024)),
        ("bytes=-" + "9" * 5000, 1024, (0, 1024)),
    ],
)
def test_a_single_range_is_parsed(header: str, size: int, expected: tuple[int, int]) -> None:
    assert parse_range(header, size) == expected


@pytest.mark.parametrize(
    "header",
    [
        None, "", "bytes", "bytes=", "bytes=-", "bytes=10-5", "bytes=a-b", "bytes=1", "bytes=+1-2", "bytes=1-2x",
        "bytes=0x1-2", "bytes=1.0-2", "bytes=--5", "bytes=1 - 2", "bytes=٣-٤", "bytes=0-1,3-4", "bytes=0-1, -1",
        "lines=1-2",
        "bytes=" + "1-2," * 500,
    ],
)  # fmt: skip
def test_several_and_malformed_ranges_are_ignored(header: str | None) -> None:
    assert parse_range(header, 1024) is None


@pytest.mark.parametrize(
    ("header", "size"),
    [("bytes=1024-", 1024), ("bytes=1024-2000", 1024), ("bytes=" + "9" * 5000 + "-", 1024), ("bytes=-0", 1024),
     ("bytes=0-", 0), ("bytes=0-0", 0), ("bytes=-0", 0)],
)  # fmt: skip
def test_a_range_beyond_the_end_is_refused_with_the_size(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        parse_range(header, size)
    assert refused.value.headers == {"Content-Range": f"bytes */{size}"}


def test_a_suffix_range_of_an_empty_file_is_the_whole_file() -> None:
    assert parse_range("bytes=-5", 0) is None


@given(
    st.one_of(st.text(max_size=20), st.from_regex(r"bytes=[0-9]{0,4}-[0-9]{0,4}", fullmatch=True)), st.integers(0, 9999)
)
def test_a_parsed_range_lies_within_the_file(header: str, size: int) -> None:
    try:
        found = parse_range(header, size)
    except RangeNotSatisfiable:
        return
    assert found is None or 0 <= found[0] < found[1] <= size
