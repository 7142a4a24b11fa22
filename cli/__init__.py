"""The operator's doors: `flask doctor` and its kin. `flask db` comes with Flask-Migrate."""

from __future__ import annotations

import os

from flask import Flask

from cli.doctor import doctor
from cli.keys import keys
from cli.sweep import sweep


def init_app(app: Flask) -> None:
    """Give the app its commands. In a `flask` process, all files are made for its own user alone."""
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":  # Flask sets it before it makes the app, for `flask db` too.
        os.umask(0o077)
    app.cli.add_command(doctor)
    app.cli.add_command(keys)
    app.cli.add_command(sweep)
