"""`ferry ls`, `ferry status` and `ferry rm`."""

from __future__ import annotations

from argparse import Namespace

from ferry_client.errors import FerryError
from ferry_client.ferry import Ferry
from ferry_client.files import File
from ferry_client.problems import NotFound
from ferry_client.shell.screen import Outcome, Screen
from ferry_client.shell.words import size


def ls(ferry: Ferry, options: Namespace, screen: Screen) -> int:
    """All files, newest first."""
    for file in ferry.list(status=options.status, prefix=options.prefix):
        _show(screen, options, file)
    return 0


def status(ferry: Ferry, options: Namespace, screen: Screen) -> int:
    """What has become of files; with --watch, what becomes of them until they have ended."""
    bad = 0
    for id in options.id:
        try:
            file = (
                ferry.wait(id, on_change=lambda file: _show(screen, options, file))
                if options.watch
                else ferry.status(id)
            )
        except FerryError as error:
            screen.show(Outcome("failed", id, error=error))
            bad += 1
            continue
        bad += file.status == "ERROR"
        if not options.watch:
            _show(screen, options, file)
    return 1 if bad else 0


def rm(ferry: Ferry, options: Namespace, screen: Screen) -> int:
    """Delete files."""
    deleted, unknown = ferry.delete_all(options.id)
    for id in deleted:
        screen.show(Outcome("deleted", id, f"deleted  {id}"))
    for id in unknown:
        screen.show(Outcome("failed", id, error=NotFound("There is no such file.", status=404)))
    return 1 if unknown else 0


def _show(screen: Screen, options: Namespace, file: File) -> None:
    if options.json:
        screen.json(file.as_json())
        return
    made = file.created_at.strftime("%Y-%m-%d %H:%M") if file.created_at else ""
    amount = size(file.size) if file.size is not None else "?"
    screen.line(
        f"{file.id}  {file.status:<10}  {amount:>9}  {made}  {file.name}{f'  {file.error}' if file.error else ''}"
    )
