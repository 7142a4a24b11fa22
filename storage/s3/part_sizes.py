"""How S3 wants an object to be cut into parts. Pure rules.

Source of the limits: "Amazon S3 multipart upload limits": 10,000 parts, at least 5 MiB a part except the last, at most
5 GiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

from storage.parts import DEFAULT_PART, MIB, MIN_PART

_SMALL_PARTS_BELOW = 256 * MIB
_TARGET_PARTS = 9_500


def part_sizes(max_bytes: int | None) -> Iterator[int]:
    """Return the size of each part in turn, for a stream of at most `max_bytes` (None: unknown, up to 78 GiB).

    All but the last have the same size, as R2 requires. 5 MiB below 256 MiB: nothing is sent before the first part is
    full, so sending lags behind receiving by its size. More than 8 MiB only if 10,000 parts would not suffice.
    """
    if max_bytes is None:
        return repeat(DEFAULT_PART)
    if max_bytes < _SMALL_PARTS_BELOW:
        return repeat(MIN_PART)
    return repeat(max(DEFAULT_PART, -(-max_bytes // _TARGET_PARTS // MIB) * MIB))
