"""Filenames: displayed as sent, sanitised in keys and archives."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.filenames import archive_names, display_name, safe_name
from file import rename_file
from problems import FilenameTooLong


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        (r"C:\tmp\x.txt", "x.txt"),
        ("a/b", "b"),
        ("..", ".."),
        ("", ""),
        ("   ", ""),
        ("文档.pdf", "文档.pdf"),
        ("cafe\u0301.txt", "caf\u00e9.txt"),
        ("👨\u200d👩\u200d👧.png", "👨\u200d👩\u200d👧.png"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("a\x00b\r\nc\x7fd\x85e.txt", "abcde.txt"),
        ("a\u200bb\ufeffc.txt", "abc.txt"),
        ("a\ud800b.txt", "ab.txt"),
        ("=cmd()|'<img onerror>'.csv", "=cmd()|'<img onerror>'.csv"),
        ("x" * 255, "x" * 255),
    ],
)
def test_a_name_is_shown_as_sent_without_path_and_controls(sent: str, shown: str) -> None:
    assert display_name(sent) == shown


@pytest.mark.parametrize("sent", ["x" * 256, "文" * 86, "x" * 10_000])
def test_a_name_longer_than_255_bytes_is_rejected(sent: str) -> None:
    with pytest.raises(FilenameTooLong):
        display_name(sent)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("my report (1).tar.gz", "my_report_1.tar.gz"),
        ("README", "README"),
        ("文档.pdf", "file.pdf"),
        ("عربي.txt", "file.txt"),
        ("文档", "file"),
        ("..", "file"),
        (".bashrc", "bashrc"),
        ("a.", "a"),
        ("<img onerror>.png", "img_onerror.png"),
        ("x" * 250 + ".jpeg", "x" * 100 + ".jpeg"),
    ],
)
def test_a_name_is_made_safe_for_a_key(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text(max_size=60))
def test_any_name_gives_a_safe_key(name: str) -> None:
    try:
        shown = display_name(name)
    except FilenameTooLong:
        return
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,117}", safe_name(shown))


def test_a_file_is_renamed_to_its_time_and_safe_name() -> None:
    assert rename_file("my file.pdf", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)) == "20260304050607--my_file.pdf"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["b", "a"], ["b", "a"]),
        (["a.txt", "a.txt", "a.txt"], ["a.txt", "a (2).txt", "a (3).txt"]),
        (["a.txt", "A.TXT", "ß", "SS"], ["a.txt", "A (2).TXT", "ß", "SS (2)"]),
        (["a.txt", "a.txt", "a (2).txt"], ["a.txt", "a (2).txt", "a (2) (2).txt"]),
        (["a (2).txt", "a.txt", "a.txt"], ["a (2).txt", "a.txt", "a (3).txt"]),
        (["..", ".", "", " "], ["file", "file (2)", "file (3)", "file (4)"]),
        (["../x", "/etc/x", "a\\b", "C:x", "a/", "x\0y", "a\nb"],
         [".._x", "_etc_x", "a_b", "C_x", "a_", "x_y", "a_b (2)"]),
        (["a?*|<>\"b", "end.", "end "], ["a______b", "end", "end (2)"]),
        ([".bashrc", ".bashrc"], [".bashrc", ".bashrc (2)"]),
        (["文" * 83 + ".txt"] * 2, ["文" * 83 + ".txt", "文" * 82 + " (2).txt"]),
        (["a." + "b" * 253] * 2, ["a." + "b" * 253, "a." + "b" * 249 + " (2)"]),
    ],
)  # fmt: skip
def test_archive_names_are_safe_and_unique(names: list[str], expected: list[str]) -> None:
    assert list(archive_names(names)) == expected


@given(st.lists(st.text(max_size=5) | st.sampled_from(["a.txt", "A.txt", "a (2).txt", "x" * 255, "é" * 127])))
def test_no_archive_name_is_a_path_or_a_duplicate(names: list[str]) -> None:
    plain = list(archive_names(names))

    assert len({name.casefold() for name in plain}) == len(names)
    assert not [name for name in plain if name.strip(".") == "" or re.search(r"[/\\:\0]", name)]
    assert all(len(name.encode(errors="replace")) <= 255 for name in plain)
