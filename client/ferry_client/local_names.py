"""Names for files on the local disk, the same on every system. Pure rules.

A file's name comes from its uploader. The local name is valid on Linux, macOS and Windows, stays in its folder on each
of them, and does not collide on case-insensitive file systems.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import PurePath, PurePosixPath

from ferry_client.files import File
from ferry_client.partial_file import PARTIAL_SUFFIX

MAX_NAME_BYTES = 255
"""Of UTF-8: the limit of ext4, XFS and APFS. NTFS allows 255 UTF-16 units, which such a name never exceeds."""

_MAX_EXTENSION = 16
_REFUSED = re.compile(r'[<>:"/\\|?*]')
"""Characters that Windows refuses. `a:b` is stream b of file a there, and `C:a` a file on another drive.

https://learn.microsoft.com/windows/win32/fileio/naming-a-file
"""

_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"]
)
"""Windows opens a device for these names, with any extension: NUL.txt too (same source)."""

_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"
"""Format characters too, but required by Persian words and family emoji."""


def local_name(file: File) -> str:
    """Return a name for `file` in any folder: its portable name, else its id, else `file`."""
    for name in (file.name, file.id):
        if portable := portable_name(name.replace("\\", "/").rpartition("/")[2]):
            return portable
    return "file"


def portable_name(name: str) -> str:
    """Return `name` valid on every system, in NFC and at most 255 bytes; empty if nothing is left of it.

    Characters that Windows refuses and invisible ones become `_`; trailing dots and spaces are removed; a device name
    is prefixed with `_`. The name of a partial download (`.….ferry-part`) loses its dot.
    """
    visible = "".join("_" if _is_invisible(char) else char for char in unicodedata.normalize("NFC", name))
    plain = _REFUSED.sub("_", visible).rstrip(". ")
    if plain.startswith(".") and PARTIAL_SUFFIX in plain.casefold():
        plain = plain.lstrip(".")
    if plain.partition(".")[0].rstrip().upper() in _DEVICES:
        plain = f"_{plain}"
    return _with_suffix(plain, "").rstrip(". ")


def portable_path(path: PurePath, *, windows: bool = os.name == "nt") -> str:
    """Return a manifest's relative path; changed on Windows only, so that elsewhere a folder is restored exactly.

    A NUL byte is invalid everywhere.
    """
    return "/".join(portable_name(part) or "_" for part in path.parts) if windows else str(path).replace("\0", "_")


def collision_key(path: str) -> str:
    """Return the same key for paths that may collide on a file system: case and Unicode composition are ignored."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


class UniqueNames:
    """Relative paths, each reserved once: the second `a.txt` (or `A.TXT`) becomes `a (2).txt`."""

    def __init__(self) -> None:
        self._reserved: set[str] = set()
        self._last_number: dict[str, int] = {}

    def reserve(self, path: str) -> str:
        """Return `path`, or its first free number. Paths that are equal after truncation share one counter."""
        candidate, series = path, collision_key(with_number(path, 9999))
        while collision_key(candidate) in self._reserved:
            self._last_number[series] = self._last_number.get(series, 1) + 1
            candidate = with_number(path, self._last_number[series])
        self._reserved.add(collision_key(candidate))
        return candidate


def with_number(path: str, number: int) -> str:
    """Return `folder/name (2).ext`, the name at most 255 bytes long."""
    posix = PurePosixPath(path)
    return str(posix.with_name(_with_suffix(posix.name, f" ({number})")))


def _with_suffix(name: str, suffix: str) -> str:
    """Insert `suffix` before the extension, and truncate the stem to 255 bytes in all."""
    path = PurePosixPath(name)
    stem, extension = (path.stem, path.suffix) if len(path.suffix) <= _MAX_EXTENSION else (name, "")
    stem_bytes = MAX_NAME_BYTES - len(os.fsencode(suffix + extension))
    return os.fsencode(stem)[:stem_bytes].decode(errors="ignore") + suffix + extension


def _is_invisible(char: str) -> bool:
    return char not in _JOINERS and unicodedata.category(char) in _INVISIBLE
