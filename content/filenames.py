"""Names: what a client calls a file, what people are shown, what may stand in a key. Pure rules."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from werkzeug.utils import secure_filename

from problems import FilenameTooLong

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The id of a file. `ID.fullmatch` comes before any use of an id from outside: as a path, as a key, in a query."""

MAX_NAME_BYTES = 255
MAX_CODE_POINTS = 4 * MAX_NAME_BYTES
"""More than any name has before it is normalised: NFC makes at most three of them one, and that one has two bytes.
Normalising sorts combining marks in quadratic time, and so is never done to more."""

_JOINERS = "\u200c\u200d"
"""Zero-width (non-)joiners are format characters too, but Persian words and family emoji need them."""


def display_name(sent: str) -> str:
    """The name to show: the last component of what was sent, in NFC, without controls and lone surrogates.

    May be empty. Raises FilenameTooLong above 255 bytes of UTF-8: what common file systems can hold.
    """
    base = sent.replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(c for c in base if c in _JOINERS or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    name = visible if len(visible) > MAX_CODE_POINTS else unicodedata.normalize("NFC", visible).strip()
    if len(name.encode()) > MAX_NAME_BYTES:
        raise filename_too_long()
    return name


def filename_too_long() -> FilenameTooLong:
    """The refusal of a name, with the most bytes that one may have."""
    return FilenameTooLong(f"A file's name may have {MAX_NAME_BYTES} bytes of UTF-8.", max_bytes=MAX_NAME_BYTES)


def safe_name(name: str) -> str:
    """`name` as it may stand in a key: ASCII letters, digits, `.`, `_`, `-`, at most 117 of them, never empty.

    Stem and extension are made safe apart, so that a name of which nothing is left keeps its extension.
    """
    path = PurePosixPath(name)
    stem = secure_filename(path.stem)[:100] or "file"
    extension = secure_filename(path.suffix)[:16]
    return f"{stem}.{extension}" if extension else stem


def archive_names(names: Iterable[str]) -> Iterator[str]:
    """Names for the members of one archive: no paths, nothing that a file system refuses, each only once.

    Once means also where capitals make no difference; the second `a.txt` is `a (2).txt`. What Windows takes for a drive
    or a stream (`a:b`) is made harmless too.
    """
    taken: set[str] = set()
    seen: Counter[str] = Counter()
    for name in names:
        plain = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]', "_", name).rstrip(". ") or "file"
        # Long names that differ at their end only are numbered together: each number is tried once.
        free, alike = plain, _numbered(plain, 9999).casefold()
        while free.casefold() in taken:
            seen[alike] += 1
            free = _numbered(plain, seen[alike] + 1)
        taken.add(free.casefold())
        yield free


def _numbered(name: str, number: int) -> str:
    """`name (2).ext`, in as many bytes as a file's name may have."""
    stem, extension = PurePosixPath(name).stem, PurePosixPath(name).suffix
    if len(extension) > 16:
        stem, extension = name, ""
    end = f" ({number}){extension}"
    return stem.encode()[: MAX_NAME_BYTES - len(end.encode())].decode(errors="ignore") + end
