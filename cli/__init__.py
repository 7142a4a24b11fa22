"""Management commands: `flask doctor`, `flask keys`, `flask sweep`. `flask db` comes with Flask-Migrate."""

from __future__ import annotations

from flask import Flask

from cli.doctor import doctor
from cli.failures import prepare_process
from cli.keys import keys
from cli.sweep import sweep

__all__ = ["init_app", "prepare_process"]


def init_app(app: Flask) -> None:
    """Register the commands."""
    app.cli.add_command(doctor)
    app.cli.add_command(keys)
    app.cli.add_command(sweep)
