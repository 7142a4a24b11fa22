"""Files on disk, and the files that Ferry has stored."""

from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path
from typing import Any

import requests

from dev.polling import eventually
from tests.browser.recipes import Place


def new_files(folder: Path, count: int, size: int = 1000, head: bytes = b"") -> list[Path]:
    """That many files of random bytes behind `head`, under names that no other test has."""
    paths = [folder / f"{os.urandom(4).hex()} ü.bin" for _ in range(count)]
    for path in paths:
        path.write_bytes(head + os.urandom(size - len(head)))
    return paths


def found(place: Place, path: Path) -> list[dict[str, Any]]:
    """Ferry's files of this name."""
    answer = requests.get(f"{place.ferry}/files", {"prefix": path.name}, headers=place.headers, timeout=10)
    answer.raise_for_status()
    return answer.json()["files"]  # type: ignore[no-any-return]


def check_stored(place: Place, paths: list[Path]) -> None:
    """Each file is stored once, with its bytes. Waits up to 15 seconds for that."""
    for path in paths:
        read = partial(found, place, path)
        rows = eventually(read, lambda rows: not rows or rows[0]["status"] == "COMPLETE", seconds=15, every=0.1)
        assert [row["status"] for row in rows] == ["COMPLETE"], (path.name, rows)
        assert rows[0]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def check_absent(place: Place, paths: list[Path]) -> None:
    """Ferry has no file of these names."""
    assert [found(place, path) for path in paths] == [[] for _ in paths]
