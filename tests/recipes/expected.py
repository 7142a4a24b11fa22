"""The expected outcome of each recipe of docs/clients.md, by title."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

PHOTO = b"\xff\xd8\xff\xe0" + random.Random(12).randbytes(300_000)
NOTES = b"first\nsecond\n"
FILES = {"photo.jpg": PHOTO, "notes.txt": NOTES, "one.csv": b"a,b\n", "two.csv": b"c,d\n"}
"""Files in the folder of every recipe that uploads."""

SQUARES = b"".join(b"%d,%d\n" % (number, number**2) for number in range(1000))
ARCHIVE = b"\x1f\x8b"
"""The first bytes of a gzip: the others depend on the time."""


@dataclass(frozen=True)
class Expected:
    """The outcome of a recipe.

    stored: files that are COMPLETE when the recipe ends, by name; ARCHIVE stands for a tar.gz of the photo.
    there: files in the folder before it begins.
    saved: files in the folder after it has ended.
    says: texts in its output.
    """

    stored: Mapping[str, bytes] = field(default_factory=dict)
    there: Mapping[str, bytes] = field(default_factory=lambda: FILES)
    saved: Mapping[str, bytes] = field(default_factory=dict)
    says: tuple[str, ...] = ()


_UPLOAD = Expected(stored={"photo.jpg": PHOTO})
_WAIT = Expected(stored={"photo.jpg": PHOTO}, says=("COMPLETE",))
_ROWS = Expected(stored={"squares.csv": SQUARES})

BY_TITLE = {
    "Raw": _UPLOAD,
    "Raw, with a key": _UPLOAD,
    "Form": _UPLOAD,
    "POST": _UPLOAD,
    "Large file": _UPLOAD,
    "With a key": _UPLOAD,
    "With retries": _UPLOAD,
    "With a key and retries": _UPLOAD,
    "Form of unknown length": _UPLOAD,
    "Form with another name": Expected(stored={"cat.jpg": PHOTO}),
    "Form from memory": Expected(stored={"report.csv": b"a,b\n1,2\n"}),
    "Standard input": Expected(stored={"photos.tar.gz": ARCHIVE}),
    "Several files": Expected(stored=FILES),
    "Unknown length": _ROWS,
    "Unknown length, with a key": _ROWS,
    "Wait until it is stored": _WAIT,
    "Async, and wait until it is stored": _WAIT,
    "Raw, and wait until it is stored": _WAIT,
    "Form, and wait until it is stored": _WAIT,
    "With a key, and wait until it is stored": _WAIT,
    "Download": Expected(there={}, saved={"photo.jpg": PHOTO}),
    "Resume a download": Expected(there={"photo.jpg": PHOTO[:100_000]}, saved={"photo.jpg": PHOTO}),
    "Errors": Expected(says=("/problems/missing-filename",)),
}

EXIT_CODES = {"curl": "curl ended with 22", "wget": "wget ended with 8", "HTTPie": "http ended with 4"}
"""Additional output of the recipe "Errors" of shell programs."""
