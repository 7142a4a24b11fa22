"""Ferry that tells nobody how far a file is until it has ended: what telling costs is the difference."""

from __future__ import annotations

import app
from lifecycle import leases

leases._WRITE_INTERVAL = float("inf")


def create_app() -> object:
    """The app, otherwise as it is."""
    return app.create_app()
