"""`ferry ls` and `ferry status`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from ferry_client.errors import FerryError
from ferry_client.ferry import Ferry
from ferry_client.files import File
from ferry_client.shell.screen import Outcome, Screen
from ferry_client.shell.words import fitted, printable, size

_WIDE = 100
"""Cells from which a line shows everything: 79 before the name."""

_SHORTEST_NAME = 7
"""Cells. Where an error leaves less than that beside the date, the date is left out."""


def ls(ferry: Ferry, options: Namespace, screen: Screen) -> int:
    """All files, newest first."""
    for file in ferry.list(status=options.status, prefix=options.prefix, limit=options.limit):
        _show(screen, options, file, row)
    return 0


def status(ferry: Ferry, options: Namespace, screen: Screen) -> int:
    """What has become of files; with --watch, what becomes of them until they have ended."""
    bad = 0
    for id in options.id:
        try:
            file = (
                ferry.wait(id, on_change=lambda file: _show(screen, options, file, status_row))
                if options.watch
                else ferry.status(id)
            )
        except FerryError as error:
            screen.show(Outcome("failed", id, error=error))
            bad += 1
            continue
        bad += file.status == "ERROR"
        if not options.watch:
            _show(screen, options, file, status_row)
    return 1 if bad else 0


def _show(screen: Screen, options: Namespace, file: File, line: Callable[[File, int | None], str]) -> None:
    if options.json:
        screen.json(file.as_json())
    else:
        screen.line(line(file, screen.width))


def row(file: File, width: int | None) -> str:
    """One file of a list in a line of `width` cells; None: as long as it takes, for a script.

    A terminal of 80 cells has no room for everything: there the size gives way to a status other than COMPLETE, the
    time loses its minutes, or gives way to an error, and a long name its middle.
    """
    return _line(file, width, size_first=file.status == "COMPLETE")


def status_row(file: File, width: int | None) -> str:
    """The same for an answer about the status: a narrow terminal shows it in any case, and no size."""
    return _line(file, width, size_first=False)


def _line(file: File, width: int | None, *, size_first: bool) -> str:
    amount = size(file.size) if file.size is not None else "?"
    error = f"  {file.error}" if file.error else ""
    if width is None or width >= _WIDE:
        made = f"{file.created_at:%Y-%m-%d %H:%M}" if file.created_at else ""
        return f"{file.id}  {file.status:<10}  {amount:>9}  {made:<16}  {file.name}{error}"
    made = f"{file.created_at:%Y-%m-%d}" if file.created_at else ""
    head, date = f"{file.id}  {amount if size_first else file.status:>10}  ", f"{made:<10}  "
    room = width - len(head) - len(error)
    if room - len(date) >= _SHORTEST_NAME:
        head, room = head + date, room - len(date)
    return f"{head}{fitted(printable(file.name), max(room, _SHORTEST_NAME))}{error}"
