"""A URL converter for file names in paths: with slashes, and empty."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import PathConverter


class AnyPath(PathConverter):
    """The rest of the path. Empty where curl sends no name: that is refused with how to send one."""

    regex = r"[\s\S]*?"
    part_isolating = False


def init_app(app: Flask) -> None:
    """Add the converter `any_path`. Needed before a rule names it."""
    app.url_map.converters["any_path"] = AnyPath
