"""A URL converter for filenames in paths: slashes and the empty path included."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import PathConverter


class AnyPath(PathConverter):
    """The rest of the path. May be empty, as with `curl -T -`: the view then answers how to send a name."""

    regex = r"[\s\S]*?"
    part_isolating = False


def init_app(app: Flask) -> None:
    """Register the converter `any_path`, before any rule uses it."""
    app.url_map.converters["any_path"] = AnyPath
