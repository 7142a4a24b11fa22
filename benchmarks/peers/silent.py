"""Ferry that tells nobody how far a file is until it has ended: what telling costs is the difference."""

from __future__ import annotations

import app
import lease

lease._TELL_EVERY = float("inf")


def create_app() -> object:
    """The app, otherwise as it is."""
    return app.create_app()
