"""Types of option values: tables."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest
from ferry_client.cli.parsing import parse_duration, parse_jobs, parse_limit, parse_rate


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43200), ("7d", 604800)])
def test_a_duration_is_parsed(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0d", "-1", "1.5h", "d", "1y", "soon"])
def test_a_malformed_duration_is_rejected(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        parse_duration(text)


@pytest.mark.parametrize("text", ["0", "65", "-1", "x", "1.0", ""])
def test_a_malformed_number_of_jobs_is_rejected(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        parse_jobs(text)


@pytest.mark.parametrize(
    ("text", "bytes"),
    [("1", 1), ("50000", 50000), ("500k", 512_000), ("500K", 512_000), ("1.5m", 1_572_864), ("10M", 10_485_760),
     ("1G", 1 << 30)],
)  # fmt: skip
def test_a_rate_is_parsed_with_curls_units(text: str, bytes: float) -> None:
    assert parse_rate(text) == bytes


@pytest.mark.parametrize("text", ["", "0", "0k", "-1", "1T", "k", "1 k", "1kB", "fast", "nan", ".5k"])
def test_a_malformed_rate_is_rejected(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        parse_rate(text)


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "", "٣"])
def test_a_malformed_limit_is_rejected(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        parse_limit(text)
