"""`ferry ls` and `ferry status`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from ferry_client.cli.formatting import format_size, printable, truncate_middle
from ferry_client.cli.output import Outcome, Output
from ferry_client.errors import FerryError
from ferry_client.ferry import Ferry
from ferry_client.files import File

_FULL_WIDTH = 100
"""Columns from which a line shows everything: 79 before the name."""

_MIN_NAME_COLUMNS = 7
"""If an error leaves fewer columns for the name beside the date, the date is left out."""


def ls(ferry: Ferry, options: Namespace, output: Output) -> int:
    """List files, newest first."""
    for file in ferry.list(status=options.status, prefix=options.prefix, limit=options.limit):
        _show(output, options, file, list_row)
    return 0


def status(ferry: Ferry, options: Namespace, output: Output) -> int:
    """Show the status of files; with --watch, each change until they are COMPLETE or ERROR."""
    failures = 0
    for id in options.id:
        try:
            file = _watch(ferry, id, options, output) if options.watch else ferry.status(id)
        except FerryError as error:
            output.show(Outcome("failed", id, error=error))
            failures += 1
            continue
        failures += file.status == "ERROR"
        if not options.watch:
            _show(output, options, file, status_row)
    return 1 if failures else 0


def _watch(ferry: Ferry, id: str, options: Namespace, output: Output) -> File:
    return ferry.wait(id, on_change=lambda file: _show(output, options, file, status_row))


def _show(output: Output, options: Namespace, file: File, row: Callable[[File, int | None], str]) -> None:
    if options.json:
        output.json(file.to_json())
    else:
        output.line(row(file, output.width))


def list_row(file: File, width: int | None) -> str:
    """Return a line of a list, `width` columns long; None: unlimited, for a script.

    80 columns do not hold everything: below 100 a status other than COMPLETE replaces the size, the time is left out,
    the date too if a long error needs its columns, and a long name loses its middle.
    """
    return _row(file, width, prefers_size=file.status == "COMPLETE")


def status_row(file: File, width: int | None) -> str:
    """Return a line of `ferry status`: below 100 columns always with the status, without the size."""
    return _row(file, width, prefers_size=False)


def _row(file: File, width: int | None, *, prefers_size: bool) -> str:
    size = format_size(file.size) if file.size is not None else "?"
    error = f"  {file.error}" if file.error else ""
    if width is None or width >= _FULL_WIDTH:
        created = f"{file.created_at:%Y-%m-%d %H:%M}" if file.created_at else ""
        return f"{file.id}  {file.status:<10}  {size:>9}  {created:<16}  {file.name}{error}"
    created = f"{file.created_at:%Y-%m-%d}" if file.created_at else ""
    start, date = f"{file.id}  {size if prefers_size else file.status:>10}  ", f"{created:<10}  "
    columns = width - len(start) - len(error)
    if columns - len(date) >= _MIN_NAME_COLUMNS:
        start, columns = start + date, columns - len(date)
    return f"{start}{truncate_middle(printable(file.name), max(columns, _MIN_NAME_COLUMNS))}{error}"
