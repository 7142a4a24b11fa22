"""The check of retired words: `dev/prose.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev import prose


def words(text: str, python: bool = False) -> list[str]:
    return [hit.word for hit in prose.hits(text, python)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It keeps nobody out.", ["nobody"]),
        ("Nobody's file, and somebody's", ["Nobody's", "somebody's"]),
        ("the client is told", ["is told"]),
        ("a chunk that is none", ["is none"]),
        ("The rooms of the house", ["rooms", "house"]),
        ("def hand_out_due(): ...", ["hand_out"]),
        ("see doors/answers.py", ["doors/answers"]),
        ("the fence holds", ["fence"]),
        ("(B27 says so)", ["B27"]),
    ],
)
def test_retired_words_are_found(text: str, found: list[str]) -> None:
    assert set(found) <= set(words(text))


@pytest.mark.parametrize(
    "text",
    [
        "the attempt number is the fencing token",
        "`x is None`, and none of it",
        "Math.floor(x)",
        "{% if row.size is none %}",
        "what can't be told apart",
        "a broader table, in a warehouse",
        "hours, yours, mushroom, indoors",
        "none are left",
        "base64, b64decode, B2",
        "the word nobody stands here on purpose  # prose: ok",
        "<!-- nobody, in a page; prose: ok -->",
    ],
)
def test_plain_english_is_not_found(text: str) -> None:
    assert words(text) == []


def test_identifiers_are_found_in_python_only() -> None:
    assert words("told = took", python=True) == ["told", "took"]
    assert words("it took a minute") == []
    assert words('"it took a minute"', python=True) == []


def test_a_hit_is_printed_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.md").write_text("fine\nnobody\n")
    (tmp_path / ".hidden.md").write_text("nobody\n")
    assert prose.main([str(tmp_path)]) == 1
    assert "a.md:2: nobody, say " in capsys.readouterr().out
    (tmp_path / "a.md").write_text("fine\n")
    assert prose.main([str(tmp_path)]) == 0


def test_product_client_and_docs_are_checked() -> None:
    names = {str(path.relative_to(prose.ROOT)) for path in prose.files(prose.default_paths())}
    assert {"file.py", "docs/api.md", "client/ferry_client/problems.py", "README.md", "cli/__init__.py"} <= names
    assert not any(name.startswith("tests/") for name in names)
