"""Names for files on this machine's disk. Pure rules, the same on every system.

A name comes from whoever uploaded the file. What it becomes here can be held by Linux, macOS and Windows, stays in the
folder it is put in on each of them, and is no other name of that folder where capitals make no difference.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import PurePath, PurePosixPath

from ferry_client.files import File
from ferry_client.partial import SUFFIX

MAX_BYTES = 255
"""Of UTF-8: the limit of ext4, XFS and APFS. NTFS takes 255 UTF-16 units, which such a name never exceeds."""

_LONGEST_EXTENSION = 16
_REFUSED = re.compile(r'[<>:"/\\|?*]')
"""Windows refuses these in a name. `a:b` is stream b of file a there, and `C:a` a file of another drive.

https://learn.microsoft.com/windows/win32/fileio/naming-a-file
"""

_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"]
)
"""Windows opens a device for these names, with any extension: NUL.txt too (same source)."""

_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"
"""Format characters too, but Persian words and family emoji need them."""


def local_name(file: File) -> str:
    """The name for `file` in any folder: its own made portable, or its id, or `file`."""
    for name in (file.name, file.id):
        if found := portable(name.replace("\\", "/").rpartition("/")[2]):
            return found
    return "file"


def portable(name: str) -> str:
    """`name` as every system can hold it, in NFC and at most 255 bytes; empty if nothing is left of it.

    Characters that Windows refuses and invisible ones become `_`; dots and spaces at the end go; a device's name gets
    `_` in front. The name of an unfinished download (`.….ferry-part`) loses its dot.
    """
    visible = "".join("_" if _is_invisible(sign) else sign for sign in unicodedata.normalize("NFC", name))
    plain = _REFUSED.sub("_", visible).rstrip(". ")
    if plain.startswith(".") and SUFFIX in plain.casefold():
        plain = plain.lstrip(".")
    if plain.partition(".")[0].rstrip().upper() in _DEVICES:
        plain = f"_{plain}"
    return _ended(plain, "").rstrip(". ")


def portable_path(path: PurePath, *, windows: bool = os.name == "nt") -> str:
    """A relative path of a manifest. Elsewhere than on Windows it is kept: a folder comes back as it was.

    A zero byte can be held nowhere.
    """
    return "/".join(portable(part) or "_" for part in path.parts) if windows else str(path).replace("\0", "_")


def alike(path: str) -> str:
    """The same for two paths that a file system may take for one: capitals and composition make no difference."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


class Places:
    """Relative paths, each given out once: the second `a.txt` (or `A.TXT`) becomes `a (2).txt`."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def free(self, path: str) -> str:
        """`path`, or the first number of it that is free. Names that numbers cut to the same share a count."""
        found, series = path, alike(numbered(path, 9999))
        while alike(found) in self._taken:
            self._last[series] = self._last.get(series, 1) + 1
            found = numbered(path, self._last[series])
        self._taken.add(alike(found))
        return found


def numbered(path: str, number: int) -> str:
    """`folder/name (2).ext`, its name in at most 255 bytes."""
    whole = PurePosixPath(path)
    return str(whole.with_name(_ended(whole.name, f" ({number})")))


def _ended(name: str, end: str) -> str:
    """`name` with `end` before its extension; as much of its stem as 255 bytes have room for."""
    path = PurePosixPath(name)
    stem, extension = (path.stem, path.suffix) if len(path.suffix) <= _LONGEST_EXTENSION else (name, "")
    room = MAX_BYTES - len(os.fsencode(end + extension))
    return os.fsencode(stem)[:room].decode(errors="ignore") + end + extension


def _is_invisible(sign: str) -> bool:
    return sign not in _JOINERS and unicodedata.category(sign) in _INVISIBLE
