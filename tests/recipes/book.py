"""The recipes of docs/clients.md: the code blocks of its programs half, and how each is run as pasted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev import parts

PAGE = parts.ROOT / "docs" / "clients.md"
ADDRESS = "http://127.0.0.1:5000"
"""The address in the recipes."""

MODULES = parts.ROOT / "tests" / "browser" / "node_modules"
"""The folder of axios, if its npm lock is installed."""

_SUFFIXES = {"sh": "sh", "python": "py", "js": "mjs", "go": "go"}
_BLOCK = re.compile(
    r"^### (?P<program>[^\n]+)$|^#### (?P<title>[^\n]+)$|^```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Recipe:
    """One code block.

    program, title: the headings above it, of the third and fourth level.
    language: the word after the backticks.
    """

    program: str
    title: str
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.program}: {self.title}"


def programs_half() -> str:
    """The text under the heading "From programs"."""
    return PAGE.read_text().split("\n## From programs\n")[1].split("\n## ")[0]


def recipes() -> list[Recipe]:
    """All code blocks that name a language, in the order of the page."""
    found, program, title = [], "", ""
    for match in _BLOCK.finditer(programs_half()):
        if match["program"]:
            program, title = match["program"], ""
        elif match["title"]:
            title = match["title"]
        else:
            found.append(Recipe(program, title, match["language"], match["code"]))
    return found


def run(recipe: Recipe, folder: Path, url: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the recipe in `folder` against the Ferry at `url`. Skips the test where a program is not installed."""
    script = folder.parent / f"recipe.{_SUFFIXES[recipe.language]}"
    script.write_text(recipe.code.replace(ADDRESS, url))
    argv = [*_command(recipe), str(script)]
    return subprocess.run(
        argv, cwd=folder, env=environment(folder.parent, env), stdin=subprocess.DEVNULL,
        capture_output=True, encoding="utf-8", errors="replace", timeout=120,
    )  # fmt: skip


def environment(home: Path, env: Mapping[str, str]) -> dict[str, str]:
    """A small environment: settings of the developer's own programs and proxies do not reach the recipes."""
    (home / ".config" / "httpie").mkdir(parents=True, exist_ok=True)
    (home / ".config" / "httpie" / "config.json").write_text('{"disable_update_warnings": true}')
    if MODULES.exists() and not (home / "node_modules").exists():
        (home / "node_modules").symlink_to(MODULES)
    cache = os.environ.get("GOCACHE", str(Path("~/.cache/go-build").expanduser()))
    fixed = {"PATH": _path(), "HOME": str(home), "LANG": "C.UTF-8", "GOCACHE": cache, "GO111MODULE": "off"}
    return fixed | dict(env)


def _command(recipe: Recipe) -> list[str]:
    if recipe.language == "python":
        return [sys.executable]
    if recipe.language == "sh":
        program = {"HTTPie": "http"}.get(recipe.program, recipe.program)
        assert re.search(rf"\b{program} ", recipe.code)
        _installed(program)
        return ["sh", "-eu"]
    if recipe.language == "js":
        if recipe.program == "axios" and not (MODULES / "axios").exists():
            pytest.skip("axios is not installed: npm ci --prefix tests/browser")
        return [_installed("node")]
    return [_installed("go"), "run"]


def _installed(program: str) -> str:
    found = shutil.which(program, path=_path())
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def _path() -> str:
    return f"{parts.BIN}:{os.environ['PATH']}"
