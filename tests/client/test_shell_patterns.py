"""`--exclude`: which names and paths a pattern leaves out."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from ferry_client.shell.patterns import exclusion

from tests.client.conftest import Run, lines
from tests.client.fake import Fake


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
def test_a_pattern_leaves_out(pattern: str, path: str, is_folder: bool, out: bool) -> None:
    assert exclusion(pattern)(path, is_folder) is out


@pytest.mark.parametrize("pattern", ["", "/", "[z-a]"])
def test_a_pattern_that_can_not_be_meant_is_refused(pattern: str) -> None:
    with pytest.raises(ArgumentTypeError):
        exclusion(pattern)


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
def test_a_folder_is_sent_without_what_is_excluded(
    fake: Fake, command: Run, folder: Path, patterns: tuple[str, ...], sent: list[str]
) -> None:
    more = [argument for pattern in patterns for argument in ("--exclude", pattern)]
    ran = command(fake.url, "upload", "-r", folder, *more, "--json")

    assert (ran.returncode, sorted(str(line["path"]) for line in lines(ran))) == (0, sent)


def test_the_folder_that_is_here_is_not_excluded_by_its_own_name(
    fake: Fake, command: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    assert command(fake.url, "upload", "-r", ".", "--exclude", "folder").stderr.startswith("4 sent")


def test_paths_that_a_shell_made_of_a_star_are_excluded_too(fake: Fake, command: Run, folder: Path) -> None:
    ran = command(fake.url, "upload", *sorted(folder.glob("*.txt")), "--exclude", "a.*")

    assert [seen.query["name"] for seen in fake.seen] == ["b.txt"]
    assert ran.returncode == 0
