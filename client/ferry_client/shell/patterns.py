"""`--exclude`: patterns of names and paths, as in .gitignore. Pure rules.

- A pattern without a slash is compared with the name of every file and folder: `*.tmp`, `.git`.
- One with a slash is compared with the whole path inside the folder that was named: `docs/*.pdf`, `/build`.
- A slash at its end matches folders only: `cache/`.
- `*` and `?` match any characters but the slash, `[abc]` and `[!abc]` one character, `**` any number of folders.
- A folder that matches is left out with everything in it. Capitals count; composed and decomposed letters are the same.
"""

from __future__ import annotations

import re
import unicodedata
from argparse import ArgumentTypeError
from collections.abc import Callable

Excluded = Callable[[str, bool], bool]
"""Whether a path (with `/`, relative to the folder that was named) is left out. The flag: it is a folder."""


def exclusion(pattern: str) -> Excluded:
    """The rule that a pattern stands for. Raises ArgumentTypeError for an empty one, and for a range such as [z-a]."""
    only_folders, core = pattern.endswith("/"), unicodedata.normalize("NFC", pattern.rstrip("/"))
    by_name = "/" not in core
    try:
        whole = re.compile(_regex(re.sub(r"^\.?/", "", core)), re.DOTALL)
    except re.error as error:
        raise ArgumentTypeError(f"{pattern!r} is no pattern: {error}") from error
    if not core:
        raise ArgumentTypeError(f"{pattern!r} names nothing that could be left out")

    def excluded(path: str, is_folder: bool) -> bool:
        if only_folders and not is_folder:
            return False
        path = unicodedata.normalize("NFC", path)
        return whole.fullmatch(path.rpartition("/")[2] if by_name else path) is not None

    return excluded


_SPECIAL = re.compile(r"(?P<folders>(?<![^/])\*\*/)|(?P<rest>\*+)|(?P<one>\?)|\[(?P<not>[!^]?)(?P<set>\]?[^\]]*)\]")


def _regex(pattern: str) -> str:
    """The regular expression of one pattern. A bracket that stays open stands for itself, as in a shell."""
    parts, at = [], 0
    for found in _SPECIAL.finditer(pattern):
        parts += [re.escape(pattern[at : found.start()]), _translated(found)]
        at = found.end()
    return "".join([*parts, re.escape(pattern[at:])])


def _translated(found: re.Match[str]) -> str:
    if found["folders"]:
        return "(?:[^/]+/)*"
    if found["rest"]:
        return (
            ".*" if found["rest"] == "**" and found.string[found.start() - 1 : found.start()] in ("", "/") else "[^/]*"
        )
    if found["one"]:
        return "[^/]"
    signs = re.sub(r"([\\\[&~|^])", r"\\\1", found["set"])
    return f"(?!/)[{'^' if found['not'] else ''}{signs}]" if signs else re.escape(found[0])
