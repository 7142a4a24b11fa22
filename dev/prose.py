"""Find retired words in the product, the client and the docs: `python -m dev.prose [paths…]`.

Prints `file:line: word, say …` for each, and exits 1 if there are any. docs/glossary.md has the words that replaced
them. A line that needs one of them ends in `prose: ok`.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dev.parts import ROOT

_WORDS = {
    # Persons for processes.
    r"nobody('s)?": "name the subject: no worker, no client",
    r"somebody('s)?": "a client, a worker, another process",
    r"anybody('s)?": "any client, any process",
    r"everybody('s)?": "all clients, all processes",
    r"whoever|whomever|whom": "the worker that …, the client that …",
    r"ours|theirs": "Ferry's, the client's",
    r"without a word": "no response, no log line",
    r"f(e|a)ll(s|en)? silent": "lease expired",
    r"(is|are|was|were|be|been|being|gets?) told(?! apart)": "returned, raised, logged, reported",
    r"asks? for nobody|who only": "name the subject",
    # Negated existence.
    r"(?-i:is|are) (?-i:none)(?! of| %}| else)": "say what it is: a malformed chunk",
    # Metaphors.
    r"rooms?": "space, capacity; module, package",
    r"house": "layer, package",
    r"floor": "layer",
    r"doors?": "endpoint, view",
    r"roads?": "data path, upload pipeline",
    r"vehicles?": "mode, data path",
    r"strangers?": "anonymous client",
    r"vouch(es|ed|ing)?": "verify",
    r"(?<!code )fence|my_attempt": "fencing, expected_attempt",
    r"let(s|ting)?[ _](in|out)": "accept, allow, release",
    r"go(es)? by itself": "expires, is deleted automatically",
    r"hand(s|ed|ing)?[ _]out": "dispatch, serve",
    r"hand(s|ed|ing)?[ _]back": "requeue",
    r"giv(e|es|en|ing)[ _]back": "requeue, reclaim, release",
    r"put_off\w*": "defer",
    r"taken_back|taken back": "reclaimed",
    r"strays?|leftovers?": "orphan",
    r"onlookers?|witness(es)?": "observer",
    r"frontier": "boundary",
    r"disasters?": "fault",
    r"pour(s|ed|ing)?": "stream",
    r"evidence\.py|lookups\.py|moves/\w*|doors/\w*|sent\.py|window\.py": "the module's name today",
    # What is not in the repository.
    r"the article|B\d\d(?= says|\)|: )": "the naive Flask app; state the reason itself",
}
_NAMES = {
    **dict.fromkeys(
        ("told", "here", "came", "went", "took", "kept", "look", "least", "patience"), "a noun: last, local, received"
    ),
    **dict.fromkeys(("Witness", "Landed", "Kept", "Sent", "Hold", "Keeper", "Leased"), "docs/glossary.md"),
}
"""Identifiers of Python code, exact."""
_PATTERNS = [(re.compile(rf"(?<![A-Za-z.$'])({word})(?![A-Za-z])", re.IGNORECASE), say) for word, say in _WORDS.items()]
_BESIDE_THE_PACKAGES = [
    *("client/ferry_client", "client/README.md", "dev", "docs", "migrations", "templates", "static", "deploy"),
    *("README.md", "CHANGELOG.md", "SECURITY.md", "Makefile", "Dockerfile", "docker-compose.yaml", "gunicorn.conf.py"),
    *("pyproject.toml", ".env.example"),
]
_SUFFIXES = {".py", ".md", ".html", ".js", ".css", ".yaml", ".toml", ".example", ""}


class Hit(NamedTuple):
    """One retired word."""

    line: int
    word: str
    instead: str


def default_paths() -> list[Path]:
    """The product, from the layers of pyproject.toml, and what stands beside it; not the tests."""
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ferry"]["layers"]
    names = [name if (ROOT / name).is_dir() else f"{name}.py" for layer in layers for name in layer]
    return [path for name in (*names, *_BESIDE_THE_PACKAGES) if (path := ROOT / name).exists()]


def files(paths: list[Path]) -> Iterator[Path]:
    """The text files at and under `paths`, without this one and hidden folders."""
    for path in paths:
        found = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
        for file in found:
            inside = file.relative_to(path).parts
            hidden = any(part.startswith(".") or part in ("node_modules", "__pycache__") for part in inside)
            if file.suffix in _SUFFIXES and not hidden and file.resolve() != Path(__file__).resolve():
                yield file


def hits(text: str, python: bool = False) -> list[Hit]:
    """The retired words of `text`, by line. `python`: its identifiers are checked too."""
    found = [hit for number, line in enumerate(text.splitlines(), 1) for hit in _in_line(number, line)]
    return sorted(found + (_in_names(text) if python else []))


def _in_line(number: int, line: str) -> Iterator[Hit]:
    if line.rstrip(" ->").endswith("prose: ok"):
        return
    for pattern, instead in _PATTERNS:
        for match in pattern.finditer(line):
            yield Hit(number, match[0], instead)


def _in_names(text: str) -> list[Hit]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [
        Hit(token.start[0], token.string, _NAMES[token.string])
        for token in tokens
        if token.type == tokenize.NAME and token.string in _NAMES and not token.line.rstrip().endswith("prose: ok")
    ]


def main(arguments: list[str]) -> int:
    """Check the paths, or all; the exit code."""
    found = False
    for file in files([Path(argument) for argument in arguments] or default_paths()):
        for hit in hits(file.read_text(), file.suffix == ".py"):
            found = True
            name = file.resolve()
            shown = name.relative_to(ROOT) if name.is_relative_to(ROOT) else name
            print(f"{shown}:{hit.line}: {hit.word}, say {hit.instead}")
    return int(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
