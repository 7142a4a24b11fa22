"""Sizes, names and summaries as text: tables."""

from __future__ import annotations

import pytest
from ferry_client.cli.formatting import (
    format_dry_run,
    format_size,
    format_summary,
    printable,
    truncate_middle,
)


@pytest.mark.parametrize(
    ("bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_951, "1.0 MB"), (5e12, "5.0 TB")],
)
def test_sizes_use_decimal_units(bytes: float, text: str) -> None:
    assert format_size(bytes) == text


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
def test_a_long_name_loses_its_middle(name: str, cells: int, shown: str) -> None:
    assert truncate_middle(name, cells) == shown


def test_control_characters_in_names_are_replaced() -> None:
    assert printable("a\x1b[31m\u202eb\nc") == "a\ufffd[31m\ufffdb\ufffdc"


def test_the_summary_has_counts_and_rates() -> None:
    reported = format_summary({"sent": 100, "skipped": 2, "failed": 1}, 5_000_000, 2.0)

    assert reported == "100 sent, 2 skipped, 1 failed; 5.0 MB in 2.0 s: 2.5 MB/s, 50 files/s"


def test_a_dry_run_summary_has_planned_counts() -> None:
    reported = format_dry_run({"would upload": 3, "skipped": 1, "failed": 0}, 5_000_000)

    assert reported == "3 to upload, 1 skipped, 0 failed; 5.0 MB; dry run: nothing was done"
