"""Sizes, times and durations, as people write and read them: tables."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest
from ferry_client.shell.words import count, duration, fitted, forecast, most, printable, rate, size, summary


@pytest.mark.parametrize(
    ("bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_951, "1.0 MB"), (5e12, "5.0 TB")],
)
def test_sizes_are_short(bytes: float, text: str) -> None:
    assert size(bytes) == text


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43200), ("7d", 604800)])
def test_durations_are_read(text: str, seconds: int) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0d", "-1", "1.5h", "d", "1y", "soon"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        duration(text)


@pytest.mark.parametrize("text", ["0", "65", "-1", "x", "1.0", ""])
def test_what_is_no_number_of_jobs_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        count(text)


@pytest.mark.parametrize(
    ("text", "bytes"),
    [("1", 1), ("50000", 50000), ("500k", 512_000), ("500K", 512_000), ("1.5m", 1_572_864), ("10M", 10_485_760),
     ("1G", 1 << 30)],
)  # fmt: skip
def test_rates_are_read_as_curl_reads_them(text: str, bytes: float) -> None:
    assert rate(text) == bytes


@pytest.mark.parametrize("text", ["", "0", "0k", "-1", "1T", "k", "1 k", "1kB", "fast", "nan", ".5k"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        rate(text)


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "", "٣"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        most(text)


@pytest.mark.parametrize(
    ("name", "cells", "shown"),
    [
        ("short.txt", 9, "short.txt"),
        ("longer than that.txt", 12, "longer…t.txt"),
        ("写真写真", 8, "写真写真"),
        ("写真写真写真", 9, "写真…写真"),
        ("e\u0301" * 9, 9, "e\u0301" * 9),
    ],
)
def test_a_name_loses_its_middle(name: str, cells: int, shown: str) -> None:
    assert fitted(name, cells) == shown


def test_a_name_does_not_command_the_terminal() -> None:
    assert printable("a\x1b[31m\u202eb\nc") == "a\ufffd[31m\ufffdb\ufffdc"


def test_the_summary_says_how_many_and_how_fast() -> None:
    told = summary({"sent": 100, "skipped": 2, "failed": 1}, 5_000_000, 2.0)

    assert told == "100 sent, 2 skipped, 1 failed; 5.0 MB in 2.0 s: 2.5 MB/s, 50 files/s"


def test_a_forecast_says_what_there_is_to_do() -> None:
    told = forecast({"would upload": 3, "skipped": 1, "failed": 0}, 5_000_000)

    assert told == "3 to upload, 1 skipped, 0 failed; 5.0 MB; dry run: nothing was done"
