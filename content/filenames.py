"""Filenames for display, for keys and for archives. Pure rules."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from werkzeug.utils import secure_filename

from problems import FilenameTooLong

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The id of a file. Check ids from outside with `ID.fullmatch` before any use: as a path, as a key, in a query."""

MAX_NAME_BYTES = 255
MAX_CODE_POINTS = 4 * MAX_NAME_BYTES
"""More than a valid name has before normalisation: NFC composes at most three into one, which has two bytes.
Normalisation sorts combining marks in quadratic time, so longer names are never normalised."""

_JOINERS = "\u200c\u200d"
"""Zero-width (non-)joiners are format characters too, but Persian words and family emoji need them."""


def display_name(sent: str) -> str:
    """Return the name to display: the last path component in NFC, without control characters and lone surrogates.

    May be empty. Raises FilenameTooLong above 255 bytes of UTF-8, the limit of common file systems.
    """
    base = sent.replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(c for c in base if c in _JOINERS or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    name = visible if len(visible) > MAX_CODE_POINTS else unicodedata.normalize("NFC", visible).strip()
    if len(name.encode()) > MAX_NAME_BYTES:
        raise filename_too_long()
    return name


def filename_too_long() -> FilenameTooLong:
    """Return the problem with its limit."""
    return FilenameTooLong(f"A filename is limited to {MAX_NAME_BYTES} bytes of UTF-8.", max_bytes=MAX_NAME_BYTES)


def safe_name(name: str) -> str:
    """Return a name for keys: ASCII letters, digits, `.`, `_`, `-`; at most 117 characters, never empty.

    Stem and extension are converted separately, so that the extension survives if nothing is left of the stem.

    >>> safe_name("my report.pdf")
    'my_report.pdf'
    """
    path = PurePosixPath(name)
    stem = secure_filename(path.stem)[:100] or "file"
    extension = secure_filename(path.suffix)[:16]
    return f"{stem}.{extension}" if extension else stem


def archive_names(names: Iterable[str]) -> Iterator[str]:
    """Yield unique names for the members of an archive, without paths and characters that file systems reject.

    Unique also on case-insensitive file systems: the second `a.txt` is `a (2).txt`. The colon of Windows drives and
    streams (`a:b`) is replaced too.
    """
    taken: set[str] = set()
    seen: Counter[str] = Counter()
    for name in names:
        plain = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", name).rstrip(". ") or "file"
        # Long names that differ only at their end share a counter: each number is tried once.
        unique, counter = plain, _numbered(plain, 9999).casefold()
        while unique.casefold() in taken:
            seen[counter] += 1
            unique = _numbered(plain, seen[counter] + 1)
        taken.add(unique.casefold())
        yield unique


def _numbered(name: str, number: int) -> str:
    """Return `name (2).ext`, cut to the maximum length of a filename."""
    stem, extension = PurePosixPath(name).stem, PurePosixPath(name).suffix
    if len(extension) > 16:
        stem, extension = name, ""
    end = f" ({number}){extension}"
    return stem.encode()[: MAX_NAME_BYTES - len(end.encode())].decode(errors="ignore") + end
