"""`--exclude`: which names and paths a pattern matches."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from ferry_client.cli.exclude import parse_exclude

from tests.client.conftest import Run, json_lines
from tests.client.fake_server import FakeServer


@pytest.mark.parametrize(
    ("pattern", "path", "is_folder", "out"),
    [
        ("*.tmp", "a.tmp", False, True),
        ("*.tmp", "deep/er/a.tmp", False, True),
        ("*.tmp", "a.tmp.txt", False, False),
        ("*.tmp", "a.TMP", False, False),
        (".git", ".git", True, True),
        (".git", "sub/.git", True, True),
        (".git", ".gitignore", False, False),
        ("cache/", "cache", True, True),
        ("cache/", "a/cache", True, True),
        ("cache/", "cache", False, False),
        ("/build", "build", True, True),
        ("/build", "a/build", True, False),
        ("./build/", "build", True, True),
        ("./build/", "a/build", True, False),
        ("docs/*.pdf", "docs/a.pdf", False, True),
        ("docs/*.pdf", "docs/a/b.pdf", False, False),
        ("docs/*.pdf", "x/docs/a.pdf", False, False),
        ("docs/**/*.pdf", "docs/a.pdf", False, True),
        ("docs/**/*.pdf", "docs/a/b/c.pdf", False, True),
        ("**/log", "log", False, True),
        ("**/log", "a/b/log", False, True),
        ("a/**", "a/b/c", False, True),
        ("a/**", "a", True, False),
        ("?.txt", "a.txt", False, True),
        ("?.txt", "ab.txt", False, False),
        ("[ab].txt", "b.txt", False, True),
        ("[!ab].txt", "b.txt", False, False),
        ("[!ab].txt", "c.txt", False, True),
        ("[a-c]x", "bx", False, True),
        ("[]]x", "]x", False, True),
        ("[a", "[a", False, True),
        ("a.c", "abc", False, False),
        ("a+(b)", "a+(b)", False, True),
        ("re\u0301sume\u0301", "résumé", False, True),
        ("résumé", "re\u0301sume\u0301", False, True),
        ("a*", "a\nb", False, True),
    ],
)
def test_a_pattern_excludes_matching_paths(pattern: str, path: str, is_folder: bool, out: bool) -> None:
    assert parse_exclude(pattern)(path, is_folder) is out


@pytest.mark.parametrize("pattern", ["", "/", "[z-a]"])
def test_an_unusable_pattern_is_rejected(pattern: str) -> None:
    with pytest.raises(ArgumentTypeError):
        parse_exclude(pattern)


@pytest.mark.parametrize(
    ("patterns", "sent"),
    [
        ((), ["folder/a.txt", "folder/b.txt", "folder/deep/b.txt", "folder/deep/er/c.csv"]),
        (("b.txt",), ["folder/a.txt", "folder/deep/er/c.csv"]),
        (("/b.txt", "*.csv"), ["folder/a.txt", "folder/deep/b.txt"]),
        (("deep",), ["folder/a.txt", "folder/b.txt"]),
        (("deep/*/",), ["folder/a.txt", "folder/b.txt", "folder/deep/b.txt"]),
        (("folder",), []),
    ],
)
def test_excluded_files_are_not_sent(
    fake: FakeServer, command: Run, folder: Path, patterns: tuple[str, ...], sent: list[str]
) -> None:
    more = [argument for pattern in patterns for argument in ("--exclude", pattern)]
    ran = command(fake.url, "upload", "-r", folder, *more, "--json")

    assert (ran.returncode, sorted(str(line["path"]) for line in json_lines(ran))) == (0, sent)


def test_the_current_folder_is_not_excluded_by_its_own_name(
    fake: FakeServer, command: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    assert command(fake.url, "upload", "-r", ".", "--exclude", "folder").stderr.startswith("4 sent")


def test_patterns_apply_to_paths_expanded_by_the_shell(fake: FakeServer, command: Run, folder: Path) -> None:
    ran = command(fake.url, "upload", *sorted(folder.glob("*.txt")), "--exclude", "a.*")

    assert [request.query["name"] for request in fake.requests] == ["b.txt"]
    assert ran.returncode == 0
