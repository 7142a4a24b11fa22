"""`--exclude`: patterns for names and paths, as in .gitignore. Pure rules.

- A pattern without a slash is compared with the name of every file and folder: `*.tmp`, `.git`.
- One with a slash is compared with the whole path inside the folder on the command line: `docs/*.pdf`, `/build`.
- A trailing slash matches folders only: `cache/`.
- `*` and `?` match any characters but the slash, `[abc]` and `[!abc]` one character, `**` any number of folders.
- A folder that matches is excluded with its content. Case matters; composed and decomposed letters are equal.
"""

from __future__ import annotations

import re
import unicodedata
from argparse import ArgumentTypeError
from collections.abc import Callable

ExcludeRule = Callable[[str, bool], bool]
"""Returns whether a path is excluded, given with `/` and relative to the named folder. The flag: it is a folder."""


def parse_exclude(pattern: str) -> ExcludeRule:
    """Compile a pattern. Raises ArgumentTypeError for an empty one, and for a range such as [z-a]."""
    only_folders, core = pattern.endswith("/"), unicodedata.normalize("NFC", pattern.rstrip("/"))
    matches_name = "/" not in core
    try:
        regex = re.compile(_regex(re.sub(r"^\.?/", "", core)), re.DOTALL)
    except re.error as error:
        raise ArgumentTypeError(f"{pattern!r} is not a pattern: {error}") from error
    if not core:
        raise ArgumentTypeError(f"{pattern!r} matches nothing")

    def is_excluded(path: str, is_folder: bool) -> bool:
        if only_folders and not is_folder:
            return False
        path = unicodedata.normalize("NFC", path)
        return regex.fullmatch(path.rpartition("/")[2] if matches_name else path) is not None

    return is_excluded


_WILDCARD = re.compile(r"(?P<folders>(?<![^/])\*\*/)|(?P<stars>\*+)|(?P<one>\?)|\[(?P<not>[!^]?)(?P<set>\]?[^\]]*)\]")


def _regex(pattern: str) -> str:
    """Return the regular expression of a pattern. An unclosed bracket is a literal, as in a shell."""
    parts, position = [], 0
    for match in _WILDCARD.finditer(pattern):
        parts += [re.escape(pattern[position : match.start()]), _wildcard_regex(match)]
        position = match.end()
    return "".join([*parts, re.escape(pattern[position:])])


def _wildcard_regex(match: re.Match[str]) -> str:
    if match["folders"]:
        return "(?:[^/]+/)*"
    if match["stars"]:
        follows_slash = match.string[match.start() - 1 : match.start()] in ("", "/")
        return ".*" if match["stars"] == "**" and follows_slash else "[^/]*"
    if match["one"]:
        return "[^/]"
    chars = re.sub(r"([\\\[&~|^])", r"\\\1", match["set"])
    return f"(?!/)[{'^' if match['not'] else ''}{chars}]" if chars else re.escape(match[0])
