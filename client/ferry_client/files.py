"""Files and links, as the server's JSON describes them."""

from __future__ import annotations

from ferry_client import shapes
from ferry_client.shapes import Link, Mode, Status

__all__ = ["File", "Link", "Mode", "Status"]


class File(shapes.File):
    """One upload. Sizes are bytes, times are UTC, unknown values are None. `error`: why its status is ERROR."""

    @property
    def is_final(self) -> bool:
        """Whether the status is COMPLETE or ERROR."""
        return self.status in ("COMPLETE", "ERROR")
