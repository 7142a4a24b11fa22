"""How a stream is cut into the parts of a multipart upload. Pure rules; the limits are those of S3.

Source of the limits: "Amazon S3 multipart upload limits": 10,000 parts, 5 MiB to 5 GiB a part, the last one free.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

MIB = 1 << 20
SMALL, USUAL = 5 * MIB, 8 * MIB
_OVERLAP_BELOW = 64 * MIB
_AIMED_PARTS = 9_500
_GROW_EVERY = 1_000


def part_sizes(bound: int | None) -> Iterator[int]:
    """The size in bytes of each part in turn, for a stream of at most `bound` bytes (None: nobody knows).

    Known: all the same, as some storages insist. Small below 64 MiB, so that sending overlaps receiving there
    too; larger than usual only where 10,000 would not do. Unknown: doubled every 1,000 parts, so that 8 TiB fit.
    """
    if bound is None:
        return (USUAL << (number // _GROW_EVERY) for number in range(10 * _GROW_EVERY))
    if bound < _OVERLAP_BELOW:
        return repeat(SMALL)
    return repeat(max(USUAL, -(-bound // _AIMED_PARTS // MIB) * MIB))


def cut(stream: Iterator[bytes], sizes: Iterator[int]) -> Iterator[bytearray]:
    """Yield the stream in parts of the given sizes; the last is shorter. At least one part, which may be empty.

    A full part is yielded only once more bytes are there, so that whoever sees one part alone has seen all.
    """
    part, left = bytearray(), next(sizes)
    for chunk in stream:
        view = memoryview(chunk)
        while len(view):
            if not left:
                yield part
                part, left = bytearray(), next(sizes)
            part += view[:left]
            taken = min(left, len(view))
            view, left = view[taken:], left - taken
    yield part
